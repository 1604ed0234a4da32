/**
 * Refreshes: each refresh token is used once on the whole node, whichever workers the requests of a browser come to.
 *
 * The worker that takes the mark asks the provider and leaves the new tokens for the others in the memory that they share;
 * those wait for them, or for the mark to go, which means that it failed there. What was got is kept a minute, since the
 * requests that a browser has sent already come with the refresh token that has been used, and a provider that rotates them
 * takes its second use for theft.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Cache, PluginServices } from '../kit/services.ts';
import type { Tokens } from './tokens.ts';

const KEPT_MS = 60_000;
const MOST_KEPT = 5000;
const LOOK_MS = 20;

export class Refreshes {
  readonly #shared: PluginServices['shared'];
  readonly #here: Cache<Tokens>;
  readonly #longestMs: number;

  /** @param longestMs that the provider may take. */
  constructor(gateway: PluginServices, longestMs: number) {
    this.#shared = gateway.shared;
    this.#here = gateway.cache({ max: MOST_KEPT, ttlMs: KEPT_MS });
    this.#longestMs = longestMs;
  }

  /** @param key of the refresh token; it does not tell what it is. */
  once(key: string, ask: () => Promise<Tokens>): Tokens | Promise<Tokens> {
    return this.#here.load(key, () => this.#onNode(key, ask));
  }

  async #onNode(key: string, ask: () => Promise<Tokens>): Promise<Tokens> {
    const got = `got ${key}`;
    const mark = `mark ${key}`;
    for (;;) {
      const there = this.#shared.get(got);
      if (there !== null) return JSON.parse(there.toString('utf8')) as Tokens;
      // A worker that dies meanwhile leaves its mark until it runs out.
      if (this.#shared.add(mark, '1', this.#longestMs + 1000)) break;
      await delay(LOOK_MS);
    }
    try {
      // Between the look and the mark another may have finished.
      const there = this.#shared.get(got);
      if (there !== null) return JSON.parse(there.toString('utf8')) as Tokens;
      const tokens = await ask();
      this.#shared.set(got, JSON.stringify(tokens), KEPT_MS);
      return tokens;
    } finally {
      this.#shared.delete(mark);
    }
  }
}
