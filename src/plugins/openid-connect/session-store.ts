/**
 * Where the tokens of sessions are: in the cookie with everything else, or in a Redis under a hash of the session's id, sealed
 * with the same key as cookies are, so that neither the server nor the browser alone has them.
 *
 * In a Redis only what is there is written again: a request that renews a session while another ends it brings nothing back.
 */
import { createHash } from 'node:crypto';
import type { Redis } from '../kit/redis.ts';
import type { CookieSealer } from '../common/sealed-cookie.ts';
import type { Session } from './tokens.ts';

/** Characters of a session's tokens: what the sealer opens again is bounded. */
const MOST_TOKENS = 48 * 1024;

/** What a cookie holds. */
export type Named = Omit<Session, 'tokens'> & Partial<Pick<Session, 'tokens'>>;

export interface SessionStore {
  /** What its cookie holds of it. */
  cookie(session: Session): Named;
  /** Null: it is over. */
  read(named: Named): Session | null | Promise<Session | null>;
  /** @param ttlMs until its last end. @param isNew false: only if it is still there. */
  keep(session: Session, ttlMs: number, isNew: boolean): void | Promise<void>;
  end(named: Named): void | Promise<void>;
}

export const IN_COOKIES: SessionStore = {
  cookie: (session) => session,
  // One of a configuration that had another place for them.
  read: ({ tokens, ...rest }) => (tokens === undefined ? null : { ...rest, tokens }),
  keep: () => undefined,
  end: () => undefined,
};

export class InRedis implements SessionStore {
  readonly #redis: Redis;
  readonly #sealer: CookieSealer;

  constructor(redis: Redis, sealer: CookieSealer) {
    this.#redis = redis;
    this.#sealer = sealer;
  }

  cookie({ id, started, used, client }: Session): Named {
    return { id, started, used, client };
  }

  async read({ tokens, ...named }: Named): Promise<Session | null> {
    if (tokens !== undefined) return null;
    const key = keyOf(named.id);
    const text = await this.#redis.get(key);
    const kept = text === null ? null : (this.#sealer.open(key, text) as Pick<Session, 'tokens'> | null);
    return kept === null ? null : { ...named, tokens: kept.tokens };
  }

  async keep({ id, tokens }: Session, ttlMs: number, isNew: boolean): Promise<void> {
    const key = keyOf(id);
    const length = tokens.access.length + (tokens.id?.length ?? 0) + (tokens.refresh?.length ?? 0);
    if (length > MOST_TOKENS) throw new RangeError(`the tokens have ${length} characters`);
    const only = isNew ? 'new' : 'existing';
    await this.#redis.set(key, this.#sealer.seal(key, { tokens }), { ttlMs, only });
  }

  async end({ id }: Named): Promise<void> {
    await this.#redis.delete(keyOf(id));
  }
}

function keyOf(id: string): string {
  return `sluice:openid-connect:session:${createHash('sha256').update(id).digest('base64url')}`;
}
