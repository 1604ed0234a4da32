/**
 * Where the tokens of sessions are: in the cookie with everything else, or in a Redis under a hash of the session's id, sealed
 * with the same key as cookies are, so that neither the server nor the browser alone has them.
 *
 * In a Redis only what is there is written again: a request that renews a session while another ends it brings nothing back.
 * And one gateway at a time renews it there: a provider that rotates refresh tokens takes the second use of one for theft, and
 * ends the session for all.
 */
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Redis, RedisScript } from '../kit/redis.ts';
import type { CookieSealer } from '../common/sealed-cookie.ts';
import type { Session, Tokens } from './tokens.ts';

/** Characters of a session's tokens: what the sealer opens again is bounded. */
const MOST_TOKENS = 48 * 1024;

const LOOK_MS = 20;

const EXTEND: RedisScript = { source: "return redis.call('PEXPIRE', KEYS[1], ARGV[1])" };

/** What a cookie holds. */
export type Named = Omit<Session, 'tokens'> & Partial<Pick<Session, 'tokens'>>;

export interface SessionStore {
  /** What its cookie holds of it. */
  cookie(session: Session): Named;
  /** Null: it is over. */
  read(named: Named): Session | null | Promise<Session | null>;
  /** @param ttlMs until its last end. @param isNew false: only if it is still there. */
  keep(session: Session, ttlMs: number, isNew: boolean): void | Promise<void>;
  /** Its tokens stay those that are there, which may be newer than the session's. */
  extend(session: Session, ttlMs: number): Promise<void>;
  end(named: Named): void | Promise<void>;
  /**
   * @param renew asks for other tokens and keeps them.
   * @param longestMs that this may take.
   * @returns what another gateway that has it has got meanwhile, or else `renew`'s. Null: it is over.
   */
  alone(session: Session, longestMs: number, renew: () => Promise<Tokens>): Promise<Tokens | null>;
}

export const IN_COOKIES: SessionStore = {
  cookie: (session) => session,
  // One of a configuration that had another place for them.
  read: ({ tokens, ...rest }) => (tokens === undefined ? null : { ...rest, tokens }),
  keep: () => undefined,
  extend: () => Promise.resolve(),
  end: () => undefined,
  alone: (_session, _longestMs, renew) => renew(),
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

  async extend({ id }: Session, ttlMs: number): Promise<void> {
    await this.#redis.run(EXTEND, [keyOf(id)], [ttlMs]);
  }

  async end({ id }: Named): Promise<void> {
    await this.#redis.delete(keyOf(id));
  }

  async alone(session: Session, longestMs: number, renew: () => Promise<Tokens>): Promise<Tokens | null> {
    const mark = `${keyOf(session.id)}:refresh`;
    // A gateway that dies meanwhile leaves its mark until it runs out.
    while (!(await this.#redis.set(mark, '1', { ttlMs: longestMs + 1000, only: 'new' }))) {
      await delay(LOOK_MS);
    }
    try {
      const now = await this.read(this.cookie(session));
      if (now === null) return null;
      return now.tokens.access === session.tokens.access ? await renew() : now.tokens;
    } finally {
      // Where the server has gone away the mark runs out as well.
      await this.#redis.delete(mark).catch(() => false);
    }
  }
}

function keyOf(id: string): string {
  return `sluice:openid-connect:session:${createHash('sha256').update(id).digest('base64url')}`;
}
