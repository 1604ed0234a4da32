/** Writes on the Admin API that are under way: a graceful stop lets them end. */
import type { EventEmitter } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';

export class InFlight {
  readonly #jobs = new Set<Promise<void>>();

  /** @param response until its last byte is on its way, or its client is gone. */
  track(response: EventEmitter): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    response.once('finish', resolve).once('close', resolve);
    this.#jobs.add(promise);
    void promise.then(() => this.#jobs.delete(promise));
  }

  /** Waits for those that have begun, at most `ms`. */
  async settled(ms: number): Promise<void> {
    if (this.#jobs.size === 0 || ms === 0) return;
    const late = new AbortController();
    const limit = delay(ms, undefined, { signal: late.signal }).catch(() => undefined);
    await Promise.race([Promise.all(this.#jobs), limit]);
    late.abort();
  }
}
