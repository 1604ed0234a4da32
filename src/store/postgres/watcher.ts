/**
 * Tells when the head may have moved, and when the database goes away or comes back.
 *
 * It asks for the head: often where nothing else tells, and now and then beside a `LISTEN` that works, as a safety net
 * for what a notification may miss. While the database is away it asks less and less often.
 */
import type { SharedLog } from '../shared-log.ts';
import type { Pace } from './options.ts';

export type WatchListener = Parameters<SharedLog['watch']>[0];

export class Watcher {
  readonly #readHead: () => Promise<number>;
  readonly #pace: Pace;
  readonly #listeners = new Set<WatchListener>();
  /** The head that was last told. */
  #told: number | null = null;
  #notified = false;
  #reachable = true;
  /** Why not. */
  #reason: string | null = null;
  #failures = 0;
  #running = false;
  #closed = false;
  #wake: (() => void) | null = null;

  /** @param readHead a failure of it shows as `failed`, by way of whoever owns the connections. */
  constructor(readHead: () => Promise<number>, pace: Pace) {
    this.#readHead = readHead;
    this.#pace = pace;
  }

  add(listener: WatchListener): Disposable {
    this.#listeners.add(listener);
    if (!this.#running) {
      this.#running = true;
      void this.#run();
    }
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Whether notifications arrive. Either way the head is looked at: one may have been missed. */
  set notified(works: boolean) {
    this.#notified = works;
    this.wake();
  }

  get reachable(): boolean {
    return this.#reachable;
  }

  answered(): void {
    this.#failures = 0;
    if (this.#reachable) return;
    this.#reachable = true;
    this.#reason = null;
    for (const listener of this.#listeners) listener.onReachable(true, null);
    this.wake();
  }

  /** Told again when the reason is another one: what cut a connection is seldom what keeps the next from being made. */
  failed(reason: string): void {
    if (this.#closed || reason === this.#reason) return;
    const first = this.#reachable;
    this.#reachable = false;
    this.#reason = reason;
    for (const listener of this.#listeners) listener.onReachable(false, reason);
    if (first) this.wake();
  }

  /** A revision that somebody told of. */
  saw(revision: number): void {
    if (this.#told === null || revision > this.#told) this.#tell(revision);
  }

  wake(): void {
    this.#wake?.();
  }

  close(): void {
    this.#closed = true;
    this.#listeners.clear();
    this.wake();
  }

  #tell(revision: number): void {
    this.#told = revision;
    for (const listener of this.#listeners) listener.onHead(revision);
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      await this.#look();
      await this.#sleep(this.#interval());
    }
  }

  async #look(): Promise<void> {
    const before = this.#told;
    try {
      const head = await this.#readHead();
      // Less than what was told before the question: the database is an older copy of itself.
      if (before !== null && head < before) this.#tell(head);
      else this.saw(head);
    } catch (error) {
      this.#failures++;
      // The database answers, and yet not with a head: its schema is gone, or of another cluster.
      const reason = error instanceof Error ? error.message : String(error);
      if (this.#reachable) for (const listener of this.#listeners) listener.onTrouble?.(reason);
    }
  }

  #interval(): number {
    const { poll, safety } = this.#pace;
    if (this.#failures > 0) return Math.min(safety, poll * 2 ** Math.min(this.#failures - 1, 10));
    return this.#notified ? safety : poll;
  }

  #sleep(ms: number): Promise<void> {
    if (this.#closed) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    this.#wake = resolve;
    return promise.finally(() => {
      clearTimeout(timer);
      this.#wake = null;
    });
  }
}
