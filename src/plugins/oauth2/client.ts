/** Which client asks for a token, and whether it is that client (RFC 6749 §2.3). */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Oauth2Credential } from '../../entities/oauth2-credential.ts';
import { HashQueue } from '../../lib/hash-queue.ts';
import { verifySecret } from '../../lib/secret-hash.ts';
import { failure, INVALID_CLIENT, type OauthError } from './answers.ts';
import { isKongHash, verifyKongHash } from './kong-secret.ts';
import type { Parameters } from './parameters.ts';

/** A worker's, for all configurations: some 20 ms each, so nobody waits longer than about a second and a half. */
const queue = new HashQueue({ max: 64 });

export interface ClientProof {
  readonly id: string | null;
  readonly secret: string | null;
  /** It came in a header, to which 401 is the answer. */
  readonly basic: boolean;
}

/** @param header value of the header that may hold `Basic …`. */
export function clientProof(parameters: Parameters, header: string | undefined): ClientProof {
  const id = parameters.get('client_id');
  const secret = parameters.get('client_secret');
  if (id !== undefined && secret !== undefined) return { id, secret, basic: false };
  if (header !== undefined) return { ...basicProof(header), basic: true };
  return { id: id ?? null, secret: null, basic: false };
}

function basicProof(header: string): { id: string | null; secret: string | null } {
  const encoded = /^\s*[Bb]asic\s*(.+)$/.exec(header)?.[1];
  if (encoded === undefined) return { id: null, secret: null };
  const text = Buffer.from(encoded.trim(), 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? { id: text, secret: null } : { id: text.slice(0, colon), secret: text.slice(colon + 1) };
}

/** Null: it is. Hashed secrets are verified in a thread of their own. Rejects when too many wait. @param ip who asks. */
export async function clientProblem(
  client: Oauth2Credential,
  secret: string | null,
  ip: string,
): Promise<OauthError | null> {
  if (client.client_type === 'public') {
    return secret === null || secret.trim() === ''
      ? null
      : failure('invalid_request', 'client_secret is disallowed for public clients');
  }
  if (secret === null) return INVALID_CLIENT;
  const same = client.hash_secret
    ? await sameHashed(secret, client.client_secret, ip)
    : sameText(secret, client.client_secret);
  return same ? null : INVALID_CLIENT;
}

function sameHashed(secret: string, stored: string, ip: string): Promise<boolean> {
  if (isKongHash(stored)) return verifyKongHash(secret, stored);
  return verifySecret(secret, stored, { queue, client: ip });
}

/** In a time that tells nothing of where they differ. */
export function sameText(one: string, other: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}
