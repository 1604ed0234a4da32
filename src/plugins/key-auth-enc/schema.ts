/**
 * key-auth-enc (Kong Enterprise's): key-auth whose keys lie encrypted in the database. Here the keys of key-auth do that as
 * soon as there is a key for secrets, so both plugins know the same keys.
 */
import { describePlugin } from '../../entities/plugin-description.ts';
import { keyAuth } from '../key-auth/schema.ts';

export const keyAuthEnc = describePlugin({
  ...keyAuth,
  name: 'key-auth-enc',
  description: 'key-auth under the name that it has in Kong Enterprise with keys encrypted at rest.',
});
