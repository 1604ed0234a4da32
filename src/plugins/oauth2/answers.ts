/** What the endpoints answer (RFC 6749 §5.1, §5.2), with Kong's texts. */
import { reply, type Reply } from '../kit/reply.ts';
import type { ReplyHeaders } from '../kit/reply.ts';

export interface OauthError {
  readonly error: string;
  readonly error_description: string;
}

export type Answer = OauthError | Readonly<Record<string, string | number>>;

export function failure(error: string, description: string): OauthError {
  return { error, error_description: description };
}

export const INVALID_CLIENT = failure('invalid_client', 'Invalid client authentication');
export const INVALID_PROVISION_KEY = failure('invalid_provision_key', 'Invalid provision_key');
export const MISSING_USER = failure('invalid_authenticated_userid', 'Missing authenticated_userid parameter');
export const INVALID_CODE = failure('invalid_request', 'Invalid code');
export const INVALID_REFRESH_TOKEN = failure('invalid_request', 'Invalid refresh_token');

export function isFailure(answer: Answer): answer is OauthError {
  return 'error' in answer;
}

/** What holds a token is not to be kept by anybody on the way. */
export function uncached(status: number, body: object, headers: ReplyHeaders = {}): Reply {
  return reply(status, body, { 'Cache-Control': 'no-store', Pragma: 'no-cache', ...headers });
}
