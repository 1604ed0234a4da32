/** Keys (Kong's `keys`): a JWK as JSON text, or PEM. */
import { isJwk, parsePrivateKey, parsePublicKey, publicHalf } from './formats/crypto.ts';
import type { Entity, EntityDefinition, Values } from './schema/field.ts';
import { isReference } from './schema/string-check.ts';
import * as t from './typedefs.ts';

const fields = {
  id: t.uuid,
  set: { type: 'foreign', reference: 'key_sets', required: false, on_delete: 'cascade' },
  name: { type: 'string', required: false, unique: true },
  kid: { type: 'string', required: true },
  jwk: { type: 'string', referenceable: true, encrypted: true, secret: true },
  pem: {
    type: 'record',
    required: false,
    fields: {
      private_key: { type: 'string', required: false, referenceable: true, encrypted: true, secret: true },
      public_key: { type: 'string', required: false, referenceable: true },
    },
    entity_checks: [{ at_least_one_of: ['private_key', 'public_key'] }],
    custom_validator: pemProblem,
  },
  tags: t.tags,
  created_at: t.timestamp,
  updated_at: t.timestamp,
} as const satisfies EntityDefinition['fields'];

export interface Key extends Entity<typeof fields> {}

function pemProblem(pem: Values): string | null {
  const { private_key: privatePem, public_key: publicPem } = pem;
  if (isReference(privatePem) || isReference(publicPem)) return null;
  const publicKey = typeof publicPem === 'string' ? parsePublicKey(publicPem) : undefined;
  if (publicKey === null) return 'could not load public key';
  const privateKey = typeof privatePem === 'string' ? parsePrivateKey(privatePem) : undefined;
  if (privateKey === null) return 'could not load private key';
  if (publicKey === undefined || privateKey === undefined) return null;
  return publicHalf(privateKey).equals(publicKey) ? null : 'public key does not match private key';
}

function jwkProblem(entity: Values): string | null {
  const text = entity['jwk'];
  if (typeof text !== 'string' || isReference(text)) return null;
  let jwk: unknown;
  try {
    jwk = JSON.parse(text);
  } catch {
    return 'could not json decode jwk string';
  }
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk))
    return 'could not json decode jwk string';
  const fields = jwk as Values;
  if (fields['kid'] !== entity['kid']) return 'kid in jwk.kid must be equal to keys.kid';
  return isJwk(fields) ? null : 'could not load JWK, likely not a valid key';
}

export const keys: EntityDefinition = {
  name: 'keys',
  endpoint_key: 'name',
  cache_key: ['kid', 'set'],
  fields,
  entity_checks: [
    { mutually_exclusive: ['jwk', 'pem'] },
    { at_least_one_of: ['jwk', 'pem'] },
    { custom_entity_check: { field_sources: ['jwk', 'pem', 'kid'], fn: jwkProblem } },
  ],
};
