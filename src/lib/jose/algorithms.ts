/**
 * Signatures of tokens by the names of RFC 7518 §3.1 and RFC 8037, over node:crypto.
 *
 * A key is held against its algorithm before it is used: the kind, and for ECDSA the curve. So a public key is never the
 * secret of an HMAC, and a key of one algorithm none of another's.
 */
import { constants, createHmac, type KeyObject, sign as signNow, timingSafeEqual, verify } from 'node:crypto';

interface Algorithm {
  readonly kinds: readonly string[];
  /** OpenSSL's name; for ECDSA only. */
  readonly curve?: string;
  /** Octets of an ECDSA signature: r and s. */
  readonly bytes?: number;
  /** Null: the algorithm has a digest of its own. */
  readonly digest: string | null;
  readonly options: object;
}

/** RFC 7518 §3.5 has a salt as long as the digest; some signers (Kong's own among them) take the longest. */
const PSS = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_AUTO };
const ECDSA = { dsaEncoding: 'ieee-p1363' } as const;

const HMAC: Readonly<Record<string, string>> = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' };

const ASYMMETRIC: Readonly<Record<string, Algorithm>> = {
  RS256: { kinds: ['rsa'], digest: 'sha256', options: {} },
  RS384: { kinds: ['rsa'], digest: 'sha384', options: {} },
  RS512: { kinds: ['rsa'], digest: 'sha512', options: {} },
  PS256: { kinds: ['rsa', 'rsa-pss'], digest: 'sha256', options: PSS },
  PS384: { kinds: ['rsa', 'rsa-pss'], digest: 'sha384', options: PSS },
  PS512: { kinds: ['rsa', 'rsa-pss'], digest: 'sha512', options: PSS },
  ES256: { kinds: ['ec'], curve: 'prime256v1', bytes: 64, digest: 'sha256', options: ECDSA },
  ES384: { kinds: ['ec'], curve: 'secp384r1', bytes: 96, digest: 'sha384', options: ECDSA },
  ES512: { kinds: ['ec'], curve: 'secp521r1', bytes: 132, digest: 'sha512', options: ECDSA },
  EdDSA: { kinds: ['ed25519', 'ed448'], digest: null, options: {} },
};

export const HMAC_ALGORITHMS: readonly string[] = Object.keys(HMAC);
export const ASYMMETRIC_ALGORITHMS: readonly string[] = Object.keys(ASYMMETRIC);

/** A secret is octets: OpenSSL's own form of it takes node twice as long to begin an HMAC with. */
export type SignatureKey = KeyObject | Buffer;

export function isAlgorithm(name: string): boolean {
  return isHmac(name) || Object.hasOwn(ASYMMETRIC, name);
}

export function isHmac(name: string): boolean {
  return Object.hasOwn(HMAC, name);
}

/** The key is of the kind that the algorithm takes. */
export function fits(alg: string, key: SignatureKey): boolean {
  if (isHmac(alg)) return Buffer.isBuffer(key);
  if (Buffer.isBuffer(key) || !Object.hasOwn(ASYMMETRIC, alg) || key.type === 'secret') return false;
  const { kinds, curve } = ASYMMETRIC[alg]!;
  if (!kinds.includes(key.asymmetricKeyType ?? '')) return false;
  return curve === undefined || key.asymmetricKeyDetails?.namedCurve === curve;
}

/** @param key one that fits the algorithm. Synchronous: some 30 µs for RSA, 100 to 500 for ECDSA's longer curves. */
export function isSigned(alg: string, key: SignatureKey, input: string, signature: Buffer): boolean {
  const hash = isHmac(alg) ? HMAC[alg] : undefined;
  if (hash !== undefined) {
    if (!Buffer.isBuffer(key)) return false;
    const expected = createHmac(hash, key).update(input, 'latin1').digest();
    return expected.length === signature.length && timingSafeEqual(expected, signature);
  }
  const algorithm = Object.hasOwn(ASYMMETRIC, alg) ? ASYMMETRIC[alg] : undefined;
  if (algorithm === undefined || Buffer.isBuffer(key) || !fits(alg, key)) return false;
  const { digest, options, bytes } = algorithm;
  if (bytes !== undefined && signature.length !== bytes) return false;
  return verify(digest, Buffer.from(input, 'latin1'), { key, ...options }, signature);
}

/** Signs in a thread of the pool, but for HMAC, which costs less than the way there. */
export function signInput(alg: string, key: SignatureKey, input: string): Promise<Buffer> {
  const hash = isHmac(alg) ? HMAC[alg] : undefined;
  if (hash !== undefined && Buffer.isBuffer(key))
    return Promise.resolve(createHmac(hash, key).update(input, 'latin1').digest());
  const algorithm = Object.hasOwn(ASYMMETRIC, alg) ? ASYMMETRIC[alg] : undefined;
  if (algorithm === undefined || Buffer.isBuffer(key) || !fits(alg, key))
    return Promise.reject(new TypeError(`the key is none of ${alg}`));
  const salt = 'saltLength' in algorithm.options ? { saltLength: constants.RSA_PSS_SALTLEN_DIGEST } : {};
  const options = { key, ...algorithm.options, ...salt };
  return new Promise((resolve, reject) => {
    signNow(algorithm.digest, Buffer.from(input, 'latin1'), options, (error, signature) =>
      error === null ? resolve(signature) : reject(error),
    );
  });
}
