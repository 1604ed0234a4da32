/**
 * What another authorization server says of tokens (RFC 7662), asked once at a time for each token and kept for a while.
 *
 * Good tokens are kept apart from the others: whoever sends tokens of their own making pushes out none of those.
 */
import { createHash } from 'node:crypto';
import type { Entity } from '../../entities/schema/field.ts';
import { escapePath } from '../../router/path.ts';
import type { Exchange } from '../kit/exchange.ts';
import type { Cache, PluginServices } from '../kit/services.ts';
import type { oauth2Introspection } from './schema.ts';

export type Config = Entity<(typeof oauth2Introspection)['config']>;

/** The claims of a good token. */
export type Claims = Readonly<Record<string, unknown>>;

const MOST_GOOD = 10_000;
const MOST_BAD = 1000;
/** For `ttl` 0: as long as the token itself, or room, lasts. */
const FOREVER_MS = 24 * 3600 * 1000;
const MAX_TOKEN = 8192;

export interface Introspected {
  /** Names the token without telling it. */
  readonly id: string;
  /** Null: it is not good. */
  readonly claims: Claims | null;
}

export class Introspection {
  readonly #config: Config;
  readonly #gateway: PluginServices;
  readonly #good: Cache<Claims>;
  readonly #asked: Cache<Claims | null>;

  constructor(config: Config, gateway: PluginServices) {
    this.#config = config;
    this.#gateway = gateway;
    const ttlMs = config.ttl > 0 ? Math.ceil(config.ttl * 1000) : FOREVER_MS;
    this.#good = gateway.cache({ max: MOST_GOOD, ttlMs });
    this.#asked = gateway.cache({ max: MOST_BAD, ttlMs });
  }

  /** Rejects when there is no answer. */
  of(token: string, exchange: Exchange): Introspected | Promise<Introspected> {
    const id = createHash('sha256').update(token).digest('hex');
    if (token.length > MAX_TOKEN) return { id, claims: null };
    const { method, path } = exchange.request;
    const key = this.#config.introspect_request ? `${id} ${method} ${path}` : id;
    const known = this.#good.get(key);
    if (known !== undefined) return { id, claims: current(known) };
    const claims = this.#asked.load(key, async () => {
      const answer = await this.#ask(token, exchange);
      if (answer !== null) this.#good.set(key, answer);
      return answer;
    });
    if (claims instanceof Promise) return claims.then((answer) => ({ id, claims: current(answer) }));
    return { id, claims: current(claims) };
  }

  async #ask(token: string, exchange: Exchange): Promise<Claims | null> {
    const { introspection_url: url, token_type_hint: hint, timeout } = this.#config;
    const body = new URLSearchParams({ token, ...(hint === null ? {} : { token_type_hint: hint }) });
    const response = await this.#gateway.fetch(url, {
      method: 'POST',
      body: body.toString(),
      headers: this.#headers(exchange),
      timeoutMs: timeout,
      // Asking twice changes nothing.
      idempotent: true,
    });
    if (response.status !== 200) throw new Error(`the introspection endpoint answered ${response.status}`);
    const answer: unknown = response.json();
    if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) {
      throw new Error('the introspection endpoint answered no JSON object');
    }
    const claims = answer as Claims;
    return claims['active'] === true ? claims : null;
  }

  #headers({ request }: Exchange): Record<string, string> {
    const {
      introspect_request: tell,
      custom_introspection_headers: more,
      authorization_value,
    } = this.#config;
    return {
      ...more,
      'Content-Type': 'application/x-www-form-urlencoded',
      Accept: 'application/json',
      Authorization: this.#gateway.secret(authorization_value),
      ...(tell
        ? { 'X-Request-Path': escapePath(request.path), 'X-Request-Http-Method': request.method }
        : {}),
    };
  }
}

/** Null: the token's own time is over, or has not come. */
function current(claims: Claims | null): Claims | null {
  if (claims === null) return null;
  const now = Date.now() / 1000;
  const { exp, nbf } = claims;
  if (typeof exp === 'number' && exp <= now) return null;
  return typeof nbf === 'number' && nbf > now + 1 ? null : claims;
}
