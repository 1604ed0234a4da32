/**
 * The public keys of an issuer, from where it publishes them (RFC 7517 §5).
 *
 * They are asked for by one caller at a time, whoever waits; again when a token names a key that is not known, at most once
 * in `RETRY_MS` whatever comes of it: so nobody can make the gateway ask by inventing names. What was known serves on when
 * an issuer does not answer; keys that a new answer does not have any more are gone.
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { fits, isHmac, type SignatureKey } from '../../lib/jose/algorithms.ts';
import { decodeBase64url, isObject, type JsonObject } from '../../lib/jose/compact.ts';
import type { FetchResponse } from '../kit/services.ts';

export interface JwksOptions {
  readonly uri: string;
  /** Milliseconds; 0: keys do not grow old. */
  readonly rotateMs: number;
  /** Whether symmetric keys are taken. */
  readonly symmetric: boolean;
  readonly fetch: (uri: string) => Promise<FetchResponse>;
  readonly warn: (message: string) => void;
  /** Milliseconds on a clock that never goes back. */
  readonly now?: () => number;
}

export interface IssuerKey {
  readonly kid: string | null;
  /** Null: the issuer does not say. */
  readonly alg: string | null;
  readonly key: SignatureKey;
}

export const RETRY_MS = 30_000;
/** Keys of one issuer. */
const MAX_KEYS = 100;
/** Keys that are tried for a token that names none. */
const MAX_TRIED = 5;

export class JwksSource {
  readonly #options: JwksOptions;
  readonly #now: () => number;
  #keys: readonly IssuerKey[] = [];
  #loading: Promise<void> | null = null;
  /** When it was last asked. */
  #askedAt = -Infinity;

  constructor(options: JwksOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Keys that may have signed such a token; a promise while they are asked for. Never rejects. */
  candidates(kid: string | null, alg: string): readonly IssuerKey[] | Promise<readonly IssuerKey[]> {
    const found = this.#matching(kid, alg);
    const { rotateMs } = this.#options;
    const age = this.#now() - this.#askedAt;
    if (found.length > 0) {
      // What is known serves while it is asked for anew.
      if (rotateMs > 0 && age >= rotateMs) void this.#load();
      return found;
    }
    if (this.#loading === null && age < RETRY_MS) return found;
    return this.#load().then(() => this.#matching(kid, alg));
  }

  /** The key is still one of the issuer's. */
  has(key: IssuerKey): boolean {
    return this.#keys.includes(key);
  }

  #matching(kid: string | null, alg: string): readonly IssuerKey[] {
    return this.#keys
      .filter(
        (one) =>
          (kid === null || one.kid === kid) && (one.alg === null || one.alg === alg) && fits(alg, one.key),
      )
      .slice(0, MAX_TRIED);
  }

  #load(): Promise<void> {
    if (this.#loading !== null) return this.#loading;
    this.#askedAt = this.#now();
    const { uri, fetch, warn } = this.#options;
    this.#loading = fetch(uri)
      .then((response) => {
        if (response.status !== 200) throw new Error(`it answered ${response.status}`);
        this.#take(response.json());
      })
      .catch((error: unknown) =>
        warn(`no keys from ${uri}: ${error instanceof Error ? error.message : String(error)}`),
      )
      .finally(() => (this.#loading = null));
    return this.#loading;
  }

  /** A key that is there again stays the same object: tokens that it has verified stay verified. */
  #take(set: unknown): void {
    const list = isObject(set) ? set['keys'] : null;
    if (!Array.isArray(list)) throw new Error('it is no JWK set');
    const keys: IssuerKey[] = [];
    for (const jwk of list.slice(0, MAX_KEYS)) {
      const read = isObject(jwk) ? readJwk(jwk, this.#options.symmetric) : null;
      if (read !== null) keys.push(this.#keys.find((known) => sameKey(known, read)) ?? read);
    }
    this.#keys = keys;
  }
}

/** Null: a key that is of no use here, which RFC 7517 §5 wants to be passed over. */
function readJwk(jwk: JsonObject, symmetric: boolean): IssuerKey | null {
  const { kid, alg, use, kty, k } = jwk;
  if (use !== undefined && use !== 'sig') return null;
  const facts = { kid: typeof kid === 'string' ? kid : null, alg: typeof alg === 'string' ? alg : null };
  if (kty === 'oct') {
    const secret = symmetric && typeof k === 'string' ? decodeBase64url(k) : null;
    return secret === null || secret.length === 0 ? null : { ...facts, key: secret };
  }
  if (facts.alg !== null && isHmac(facts.alg)) return null;
  try {
    return { ...facts, key: createPublicKey({ key: { ...jwk }, format: 'jwk' }) };
  } catch {
    return null;
  }
}

function sameKey(a: IssuerKey, b: IssuerKey): boolean {
  if (a.kid !== b.kid || a.alg !== b.alg) return false;
  if (Buffer.isBuffer(a.key)) return Buffer.isBuffer(b.key) && a.key.equals(b.key);
  return !Buffer.isBuffer(b.key) && a.key.equals(b.key satisfies KeyObject);
}
