/** OAuth 2.0 access tokens (Kong's `oauth2_tokens`, plugin oauth2). They are records, not configuration. */
import type { Entity, EntityDefinition } from './schema/field.ts';
import * as t from './typedefs.ts';

const fields = {
  id: t.uuid,
  created_at: t.timestamp,
  service: { type: 'foreign', reference: 'services', default: null, on_delete: 'cascade' },
  credential: { type: 'foreign', reference: 'oauth2_credentials', required: true, on_delete: 'cascade' },
  token_type: { type: 'string', required: true, one_of: ['bearer'], default: 'bearer' },
  expires_in: { type: 'integer', required: true },
  access_token: { type: 'string', required: false, unique: true, auto: true, secret: true },
  refresh_token: { type: 'string', required: false, unique: true, secret: true },
  authenticated_userid: { type: 'string', required: false },
  scope: { type: 'string' },
} as const satisfies EntityDefinition['fields'];

export interface Oauth2Token extends Entity<typeof fields> {
  /** Seconds that are left to it. */
  readonly ttl?: number | null;
}

export const oauth2Tokens: EntityDefinition = {
  name: 'oauth2_tokens',
  endpoint_key: 'access_token',
  cache_key: ['access_token'],
  ttl: true,
  fields,
};
