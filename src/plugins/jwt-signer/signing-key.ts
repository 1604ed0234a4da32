/** Keys of a configured key set, to sign with and to publish. */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import type { Key } from '../../entities/key.ts';
import { fits, isHmac, type SignatureKey } from '../../lib/jose/algorithms.ts';
import { decodeBase64url, isObject } from '../../lib/jose/compact.ts';

export interface SigningKey {
  readonly kid: string;
  readonly key: SignatureKey;
}

/**
 * The first key of the set with a private half that the algorithm takes; null: there is none.
 *
 * @param secret what a vault reference leads to. @throws VaultError
 */
export function signingKey(
  keys: readonly Key[],
  alg: string,
  secret: (text: string) => string,
): SigningKey | null {
  for (const entity of keys) {
    const key = privateHalf(entity, secret);
    if (key !== null && fits(alg, key)) return { kid: entity.kid, key };
  }
  return null;
}

function privateHalf({ jwk, pem }: Key, secret: (text: string) => string): SignatureKey | null {
  try {
    if (typeof jwk === 'string') return ofJwk(secret(jwk));
    const text = pem?.private_key;
    return typeof text === 'string' ? createPrivateKey(secret(text)) : null;
  } catch {
    return null;
  }
}

function ofJwk(text: string): SignatureKey | null {
  const jwk: unknown = JSON.parse(text);
  if (!isObject(jwk)) return null;
  if (jwk['kty'] === 'oct') return typeof jwk['k'] === 'string' ? decodeBase64url(jwk['k']) : null;
  return typeof jwk['d'] === 'string' ? createPrivateKey({ key: { ...jwk }, format: 'jwk' }) : null;
}

/** The public halves of a set as RFC 7517 has them: nothing of a private key, and no symmetric one. */
export function publicKeySet(keys: readonly Key[], secret: (text: string) => string): { keys: object[] } {
  const published: object[] = [];
  for (const entity of keys) {
    const key = publicHalf(entity, secret);
    if (key !== null)
      published.push({
        ...key.export({ format: 'jwk' }),
        kid: entity.kid,
        use: 'sig',
        ...algorithmOf(entity, secret),
      });
  }
  return { keys: published };
}

function publicHalf(entity: Key, secret: (text: string) => string): KeyObject | null {
  const half = privateHalf(entity, secret);
  if (Buffer.isBuffer(half)) return null;
  try {
    if (half !== null) return createPublicKey(half);
    const { jwk, pem } = entity;
    if (typeof jwk === 'string') {
      const parsed: unknown = JSON.parse(secret(jwk));
      return isObject(parsed) && parsed['kty'] !== 'oct'
        ? createPublicKey({ key: { ...parsed }, format: 'jwk' })
        : null;
    }
    return typeof pem?.public_key === 'string' ? createPublicKey(secret(pem.public_key)) : null;
  } catch {
    return null;
  }
}

function algorithmOf({ jwk }: Key, secret: (text: string) => string): { alg?: string } {
  if (typeof jwk !== 'string') return {};
  const parsed: unknown = JSON.parse(secret(jwk));
  const alg = isObject(parsed) ? parsed['alg'] : null;
  return typeof alg === 'string' && !isHmac(alg) ? { alg } : {};
}
