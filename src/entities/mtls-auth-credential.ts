/**
 * Names of certificates that stand for a consumer (Kong Enterprise's `mtls_auth_credentials`, plugins mtls-auth and
 * header-cert-auth). A name is one consumer's: Kong Enterprise takes it once for each authority.
 */
import { consumerOwned } from './credential-fields.ts';
import type { Entity, EntityDefinition } from './schema/field.ts';

const fields = {
  ...consumerOwned,
  subject_name: { type: 'string', required: true, unique: true },
  ca_certificate: { type: 'foreign', reference: 'ca_certificates' },
} as const satisfies EntityDefinition['fields'];

export interface MtlsAuthCredential extends Entity<typeof fields> {}

export const mtlsAuthCredentials: EntityDefinition = {
  name: 'mtls_auth_credentials',
  cache_key: ['subject_name'],
  admin_api_name: 'mtls-auths',
  admin_api_nested_name: 'mtls-auth',
  fields,
};
