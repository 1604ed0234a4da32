/** User names and passwords (Kong's `basicauth_credentials`, plugin basic-auth). */
import { createHash } from 'node:crypto';
import { isSecretHash } from '../lib/secret-hash.ts';
import type { Entity, EntityDefinition } from './schema/field.ts';
import { consumerOwned } from './credential-fields.ts';

const fields = {
  ...consumerOwned,
  username: { type: 'string', required: true, unique: true },
  password: { type: 'string', required: true, encrypted: true, secret: true },
} as const satisfies EntityDefinition['fields'];

export interface BasicauthCredential extends Entity<typeof fields> {}

export const basicauthCredentials: EntityDefinition = {
  name: 'basicauth_credentials',
  endpoint_key: 'username',
  cache_key: ['username'],
  admin_api_name: 'basic-auths',
  admin_api_nested_name: 'basic-auth',
  fields,
  derived: {
    secret: 'password',
    from: 'consumer',
    message: "all or none of these fields must be set: 'password', 'consumer.id'",
  },
  slow_hash: { field: 'password' },
  /**
   * What is written is an argon2id hash by now. What comes from a file is kept as Kong keeps it, SHA-1 of password and consumer
   * id, unless the file has the slow hash.
   */
  transform: (entity) => {
    if (isSecretHash(String(entity['password']))) return;
    const salt = (entity['consumer'] as { readonly id: string }).id;
    entity['password'] = createHash('sha1')
      .update(`${String(entity['password'])}${salt}`)
      .digest('hex');
  },
};
