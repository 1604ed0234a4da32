/** HMAC user names and secrets (Kong's `hmacauth_credentials`, plugin hmac-auth). */
import type { Entity, EntityDefinition } from './schema/field.ts';
import { consumerOwned } from './credential-fields.ts';

const fields = {
  ...consumerOwned,
  username: { type: 'string', required: true, unique: true },
  secret: { type: 'string', auto: true, secret: true },
} as const satisfies EntityDefinition['fields'];

export interface HmacauthCredential extends Entity<typeof fields> {}

export const hmacauthCredentials: EntityDefinition = {
  name: 'hmacauth_credentials',
  endpoint_key: 'username',
  cache_key: ['username'],
  admin_api_name: 'hmac-auths',
  admin_api_nested_name: 'hmac-auth',
  fields,
};
