/** API keys (Kong's `keyauth_credentials`, plugin key-auth). */
import type { Entity, EntityDefinition } from './schema/field.ts';
import { consumerOwned } from './credential-fields.ts';

const fields = {
  ...consumerOwned,
  key: { type: 'string', required: false, unique: true, auto: true, secret: true },
} as const satisfies EntityDefinition['fields'];

export interface KeyauthCredential extends Entity<typeof fields> {
  /** Seconds that are left to it. */
  readonly ttl?: number | null;
}

export const keyauthCredentials: EntityDefinition = {
  name: 'keyauth_credentials',
  endpoint_key: 'key',
  cache_key: ['key'],
  admin_api_name: 'key-auths',
  admin_api_nested_name: 'key-auth',
  ttl: true,
  fields,
};
