/**
 * What is known of the provider: its discovery document and its keys, fetched when a request first needs them.
 *
 * They are fetched anew every five minutes beside the traffic, and what there is serves on while that fails. A token with
 * a key that is not known makes them be fetched at once, but not again within `rediscovery_lifetime`: whoever makes up
 * key ids makes the gateway ask no more often than that. Whoever waits for a fetch waits for the same one.
 */
import { createLocalJWKSet, errors, type JWK, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import type { PluginServices } from '../kit/services.ts';
import { type OidcConfig, ProviderDown, Unauthorized } from './config.ts';

const FRESH_MS = 300_000;
/** After a failure, while nothing is known yet. */
const PAUSE_MS = 1000;
const MOST_KEYS = 200;
const WELL_KNOWN = '/.well-known/openid-configuration';
const ENDPOINTS = [
  'authorization_endpoint',
  'token_endpoint',
  'introspection_endpoint',
  'userinfo_endpoint',
  'revocation_endpoint',
  'end_session_endpoint',
] as const;

export interface Known {
  /** The discovery document, with what the configuration says otherwise. */
  readonly metadata: Readonly<Record<string, unknown>> & { readonly issuer: string };
  readonly keys: JWTVerifyGetKey;
  /** Of the keys: what was verified with others is verified anew. */
  readonly keysText: string;
}

export class Provider {
  readonly #config: OidcConfig;
  readonly #gateway: PluginServices;
  #known: Known | null = null;
  #triedAt = -Infinity;
  #error: unknown = null;
  #loading: Promise<Known> | null = null;

  constructor(config: OidcConfig, gateway: PluginServices) {
    this.#config = config;
    this.#gateway = gateway;
  }

  /** @throws ProviderDown (rejection) */
  known(): Known | Promise<Known> {
    const age = performance.now() - this.#triedAt;
    if (this.#known !== null) {
      if (age > FRESH_MS) this.#load().catch(() => undefined);
      return this.#known;
    }
    if (this.#loading === null && age < PAUSE_MS) return Promise.reject(this.#down());
    return this.#load();
  }

  /**
   * The claims of a token that the provider (or an issuer that is allowed besides) signed.
   *
   * @throws Unauthorized, ProviderDown
   */
  async verify(token: string, options: { readonly audience?: string } = {}): Promise<JWTPayload> {
    const known = await this.known();
    try {
      return await this.#verifyWith(known, token, options);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw refusal(error);
    }
    const anew = await this.#rediscover(known);
    if (anew === known) throw new Unauthorized('no key of the provider fits the token');
    try {
      return await this.#verifyWith(anew, token, options);
    } catch (error) {
      throw refusal(error);
    }
  }

  async #verifyWith(
    known: Known,
    token: string,
    options: { readonly audience?: string },
  ): Promise<JWTPayload> {
    const { allowed_algorithms, leeway, issuers_allowed } = this.#config;
    const rules = {
      algorithms: [...allowed_algorithms],
      clockTolerance: leeway,
      issuer: [known.metadata.issuer, ...(issuers_allowed ?? [])],
      requiredClaims: ['exp'],
      ...options,
    };
    try {
      return (await jwtVerify(token, known.keys, rules)).payload;
    } catch (error) {
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
      let last: unknown = error;
      for await (const key of error) {
        try {
          return (await jwtVerify(token, key, rules)).payload;
        } catch (problem) {
          last = problem;
          if (!(problem instanceof errors.JWSSignatureVerificationFailed)) throw problem;
        }
      }
      throw last;
    }
  }

  async #rediscover(known: Known): Promise<Known> {
    const pause = this.#config.rediscovery_lifetime * 1000;
    if (this.#loading === null && performance.now() - this.#triedAt < pause) return this.#known ?? known;
    return this.#load().catch(() => known);
  }

  #load(): Promise<Known> {
    if (this.#loading !== null) return this.#loading;
    this.#triedAt = performance.now();
    const loading = this.#fetch().then(
      (known) => {
        this.#known = known;
        return known;
      },
      (error: unknown) => {
        this.#error = error;
        this.#gateway.log.error(
          `${this.#config.issuer}: ${error instanceof Error ? error.message : String(error)}`,
        );
        throw this.#down();
      },
    );
    this.#loading = loading.finally(() => (this.#loading = null));
    return this.#loading;
  }

  #down(): ProviderDown {
    return new ProviderDown('nothing is known of the provider', { cause: this.#error });
  }

  async #fetch(): Promise<Known> {
    const { issuer, extra_jwks_uris: extra } = this.#config;
    const id = issuer.replace(WELL_KNOWN, '').replace(/\/$/, '');
    const found = await this.#json(`${id}${WELL_KNOWN}`);
    if (typeof found['issuer'] !== 'string' || found['issuer'].replace(/\/$/, '') !== id) {
      throw new Error(`its discovery document is another issuer's: ${JSON.stringify(found['issuer'])}`);
    }
    const metadata: Record<string, unknown> & { issuer: string } = { ...found, issuer: found['issuer'] };
    for (const name of ENDPOINTS) metadata[name] = this.#config[name] ?? metadata[name];
    const uris = [String(metadata['jwks_uri']), ...(extra ?? [])];
    const sets = await Promise.all(uris.map((uri) => this.#json(uri)));
    const keys = sets
      .flatMap((set) => (Array.isArray(set['keys']) ? (set['keys'] as JWK[]) : []))
      .filter(isPublic);
    if (keys.length > MOST_KEYS) throw new Error(`it has more than ${MOST_KEYS} keys`);
    const keysText = JSON.stringify(keys);
    const same = this.#known?.keysText === keysText ? this.#known.keys : null;
    return { metadata, keys: same ?? createLocalJWKSet({ keys }), keysText };
  }

  async #json(url: string): Promise<Readonly<Record<string, unknown>>> {
    const { ssl_verify: tlsVerify, timeout: timeoutMs } = this.#config;
    const answer = await this.#gateway.fetch(url, {
      headers: { accept: 'application/json' },
      tlsVerify,
      timeoutMs,
      maxBytes: 1024 * 1024,
    });
    if (answer.status !== 200) throw new Error(`${new URL(url).pathname} answered ${answer.status}`);
    const value = answer.json();
    if (typeof value !== 'object' || value === null)
      throw new Error(`${new URL(url).pathname} is no JSON object`);
    return value as Readonly<Record<string, unknown>>;
  }
}

function isPublic({ kty }: JWK): boolean {
  return kty === 'RSA' || kty === 'EC' || kty === 'OKP';
}

/** What jose found wrong with a token is the client's; the rest is not. */
function refusal(error: unknown): unknown {
  return error instanceof errors.JOSEError ? new Unauthorized(error.message, true, error) : error;
}
