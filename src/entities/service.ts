/** Services (Kong's `services`): an upstream application. */
import { expandUrl } from './formats/url.ts';
import type { Entity, EntityCheck, EntityDefinition, Field } from './schema/field.ts';
import * as t from './typedefs.ts';

const timeout = { type: 'integer', default: 60000, between: [1, 2 ** 31 - 2] } as const satisfies Field;

const fields = {
  id: t.uuid,
  name: t.utf8Name,
  retries: { type: 'integer', default: 5, between: [0, 32767] },
  protocol: { ...t.protocol, required: true, default: 'http' },
  host: { ...t.host, required: true },
  port: { ...t.port, required: true, default: 80 },
  path: t.path,
  connect_timeout: timeout,
  write_timeout: timeout,
  read_timeout: timeout,
  tags: t.tags,
  client_certificate: { type: 'foreign', reference: 'certificates' },
  tls_verify: { type: 'boolean' },
  tls_verify_depth: { type: 'integer', between: [0, 64] },
  ca_certificates: { type: 'array', elements: { type: 'string', uuid: true } },
  enabled: { type: 'boolean', required: true, default: true },
  created_at: t.timestamp,
  updated_at: t.timestamp,
} as const satisfies EntityDefinition['fields'];

/** A service as it stands in a configuration: every field present, unset ones null. Times in ms, stamps in unix s. */
export interface Service extends Entity<typeof fields> {}

/** Fields that only a TLS upstream can have. */
function onlyTls(field: keyof typeof fields): EntityCheck {
  return {
    conditional: {
      if_field: 'protocol',
      if_match: { one_of: undefined, not_one_of: ['https', 'tls'] },
      then_field: field,
      then_match: { eq: null },
    },
  };
}

export const services: EntityDefinition = {
  name: 'services',
  endpoint_key: 'name',
  fields,
  entity_checks: [
    {
      conditional: {
        if_field: 'protocol',
        if_match: { one_of: ['tcp', 'tls', 'udp', 'grpc', 'grpcs'] },
        then_field: 'path',
        then_match: { eq: null },
      },
    },
    onlyTls('client_certificate'),
    onlyTls('tls_verify'),
    onlyTls('tls_verify_depth'),
    onlyTls('ca_certificates'),
  ],
  shorthand_fields: { url: { expand: (value) => (typeof value === 'string' ? expandUrl(value) : null) } },
};
