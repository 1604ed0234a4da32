/** Certificates (Kong's `certificates`): a certificate with its key, and a second pair of another key type. */
import { keyMatches, keyTypeOf } from './formats/crypto.ts';
import type { Entity, EntityCheck, EntityDefinition, Values } from './schema/field.ts';
import { isReference } from './schema/string-check.ts';
import * as t from './typedefs.ts';

const fields = {
  id: t.uuid,
  cert: { ...t.certificate, required: true, referenceable: true },
  key: { ...t.key, required: true, referenceable: true, encrypted: true, secret: true },
  cert_alt: { ...t.certificate, required: false, referenceable: true },
  key_alt: { ...t.key, required: false, referenceable: true, encrypted: true, secret: true },
  tags: t.tags,
  snis: { type: 'array', elements: t.wildcardHost, required: false, transient: true },
  created_at: t.timestamp,
  updated_at: t.timestamp,
} as const satisfies EntityDefinition['fields'];

export interface Certificate extends Entity<typeof fields> {}

type Name = keyof typeof fields;

/** The two PEM texts, or null when one is not set or stands in a vault. */
function pems(entity: Values, first: Name, second: Name): readonly [string, string] | null {
  const a = entity[first];
  const b = entity[second];
  if (typeof a !== 'string' || typeof b !== 'string' || isReference(a) || isReference(b)) return null;
  return [a, b];
}

function pairCheck(cert: Name, key: Name, message: string): EntityCheck {
  return {
    custom_entity_check: {
      field_sources: [cert, key],
      fn: (entity) => {
        const pair = pems(entity, cert, key);
        return pair !== null && keyMatches(...pair) === false ? message : null;
      },
    },
  };
}

const differentTypes: EntityCheck = {
  custom_entity_check: {
    field_sources: ['cert', 'cert_alt'],
    fn: (entity) => {
      const pair = pems(entity, 'cert', 'cert_alt');
      if (pair === null || keyTypeOf(pair[0]) !== keyTypeOf(pair[1])) return null;
      return (
        'certificate and alternative certificate need to have different type (e.g. RSA and ECDSA), the provided ' +
        'certificates were both of the same type'
      );
    },
  },
};

export const certificates: EntityDefinition = {
  name: 'certificates',
  fields,
  entity_checks: [
    { mutually_required: ['cert_alt', 'key_alt'] },
    pairCheck('cert', 'key', 'certificate does not match key'),
    pairCheck('cert_alt', 'key_alt', 'alternative certificate does not match key'),
    differentTypes,
  ],
};
