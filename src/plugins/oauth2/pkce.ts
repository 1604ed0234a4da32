/** Proof Key for Code Exchange (RFC 7636), with S256 only: `plain` proves nothing to whoever sees the request. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Oauth2Credential } from '../../entities/oauth2-credential.ts';
import { failure, type OauthError } from './answers.ts';
import type { Parameters } from './parameters.ts';

export type PkceMode = 'none' | 'lax' | 'strict' | null;

/** Base64url without padding of the SHA-256 of a verifier. */
function challengeOf(verifier: string): string {
  return createHash('sha256').update(verifier).digest('base64url');
}

/** The challenge of an authorization request, or null for none; a text says what is wrong. */
export function readChallenge(parameters: Parameters): { challenge: string | null } | { wrong: string } {
  const challenge = parameters.get('code_challenge');
  const method = parameters.get('code_challenge_method');
  if (challenge === undefined) {
    return method === undefined
      ? { challenge: null }
      : { wrong: 'code_challenge is required when code_method is present' };
  }
  if (challenge === null) return { wrong: 'code_challenge is not a string' };
  if (method !== undefined && method !== 'S256' && method !== 's256') {
    return { wrong: 'code_challenge_method is not supported, must be S256' };
  }
  // With padding, or in the alphabet of base64, it is the same.
  const octets = Buffer.from(challenge, 'base64');
  return { challenge: octets.length > 0 ? octets.toString('base64url') : challenge };
}

export function requiresPkce(mode: PkceMode, { client_type: type }: Oauth2Credential): boolean {
  if (mode === 'strict') return true;
  return type === 'public' && mode !== 'none';
}

/** Null: whoever has the code is who asked for it. */
export function verifierProblem(parameters: Parameters, challenge: string | null): OauthError | null {
  const verifier = parameters.get('code_verifier');
  if (verifier === undefined) {
    return failure('invalid_request', 'code_verifier is required for PKCE authorization requests');
  }
  if (verifier === null) return failure('invalid_request', 'code_verifier is not a string');
  const length = Buffer.byteLength(verifier);
  if (length < 43 || length > 128) {
    return failure('invalid_request', 'code_verifier must be between 43 and 128 characters');
  }
  const made = Buffer.from(challengeOf(verifier));
  const wanted = Buffer.from(challenge ?? '');
  const same = made.length === wanted.length && timingSafeEqual(made, wanted);
  return same ? null : failure('invalid_grant', 'Invalid code');
}
