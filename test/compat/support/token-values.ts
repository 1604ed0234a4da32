/** Values of the tables of tokens. */
import { id, seconds } from './cases.ts';

export const GONE = '00000000-0000-0000-0000-00000000dead';
export const RANDOM = /^[0-9A-Za-z]{32}$/;
export const MISSING = 'required field missing';
export const TTL = 'must be an integer between 0 and 100000000';

export const shared = {
  id,
  created_at: seconds,
  credential: { id: '{c}' },
  service: null,
  token_type: 'bearer',
  expires_in: 10,
  refresh_token: null,
  authenticated_userid: null,
  scope: null,
  ttl: null,
};
export const token = { credential: { id: '{c}' }, expires_in: 10 };
