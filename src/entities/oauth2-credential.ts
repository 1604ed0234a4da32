/** OAuth 2.0 clients (Kong's `oauth2_credentials`, plugin oauth2). */
import { splitUrl } from './formats/url.ts';
import type { Entity, EntityDefinition } from './schema/field.ts';
import { consumerOwned } from './credential-fields.ts';

const fields = {
  ...consumerOwned,
  name: { type: 'string', required: true },
  client_id: { type: 'string', required: false, unique: true, auto: true },
  client_secret: { type: 'string', required: false, auto: true, encrypted: true, secret: true },
  hash_secret: { type: 'boolean', required: true, default: false },
  redirect_uris: {
    type: 'array',
    required: false,
    elements: { type: 'string', custom_validator: redirectProblem },
  },
  client_type: {
    type: 'string',
    required: true,
    default: 'confidential',
    one_of: ['confidential', 'public'],
  },
} as const satisfies EntityDefinition['fields'];

export interface Oauth2Credential extends Entity<typeof fields> {}

function redirectProblem(uri: string): string | null {
  const { scheme, host, fragment } = splitUrl(uri);
  if (scheme === null || host === null) return `cannot parse '${uri}'`;
  return fragment === null ? null : `fragment not allowed in '${uri}'`;
}

export const oauth2Credentials: EntityDefinition = {
  name: 'oauth2_credentials',
  endpoint_key: 'client_id',
  cache_key: ['client_id'],
  admin_api_name: 'oauth2',
  slow_hash: { field: 'client_secret', when: 'hash_secret' },
  fields,
  derived: {
    secret: 'client_secret',
    from: 'hash_secret',
    message: "all or none of these fields must be set: 'hash_secret', 'client_secret'",
  },
};
