/**
 * Keeps the names of a cache fresh ahead of the end of their TTL, so that no request ever waits for one that was known.
 *
 * Each name has a timer of its own, in the last part of its TTL and spread there. A name that nobody has used for a
 * while is let go; one of the configuration is then still asked for now and then, well before it would be too stale to
 * serve. What fails is tried again with growing pauses, also a name of the configuration that has never been there; the
 * cache serves the last addresses meanwhile. All of it goes
 * through one narrow gate, so that neither a start with thousands of names nor their TTLs ending together floods the
 * name servers.
 */
import type { NameObserver } from './cache-options.ts';
import type { CachingResolver } from './caching-resolver.ts';
import type { NameEntry } from './name-entry.ts';

export interface RefreshAheadOptions {
  readonly resolver: CachingResolver;
  /** One octet for each name: workers set it when they use the name. Slot 0 is nobody's. */
  readonly uses: Uint8Array;
  /** Milliseconds, never going back. */
  readonly now: () => number;
  /** `dns_stale_ttl`, milliseconds. */
  readonly staleMs: number;
  /** False: names are refreshed when they are used past their TTL, and nothing is looked up before it is used. */
  readonly ahead: boolean;
  /** A name's state is another. */
  readonly onSettled: (entry: NameEntry) => void;
  /** Milliseconds; tests. */
  readonly idleMs?: number;
}

/** Lookups in the background at once. */
const MAX_LOOKUPS = 16;
/** A name that nobody has used for so long is not refreshed any more. */
const IDLE_MS = 10 * 60_000;
const MIN_PAUSE_MS = 100;
const MAX_PAUSE_MS = 30_000;
const MAX_TIMER_MS = 2 ** 31 - 1;

export class RefreshAhead implements NameObserver {
  readonly #options: RefreshAheadOptions;
  readonly #timers = new Map<NameEntry, NodeJS.Timeout>();
  readonly #freeSlots: number[] = [];
  #nextSlot = 1;
  /** Names that wait for their lookup. */
  readonly #line = new Set<string>();
  #lookups = 0;
  #configured: ReadonlySet<string> = new Set();
  #closed = false;

  constructor(options: RefreshAheadOptions) {
    this.#options = options;
    options.resolver.observer = this;
  }

  /** These names of the configuration are looked up, as far as there is room, and stay known. */
  configure(hosts: ReadonlySet<string>): void {
    const { resolver, ahead } = this.#options;
    if (this.#closed || !ahead) return;
    for (const host of this.#configured) {
      const entry = hosts.has(host) ? undefined : resolver.find(host);
      if (entry !== undefined) entry.configured = false;
    }
    this.#configured = hosts;
    for (const host of hosts) {
      const entry = resolver.find(host);
      if (entry === undefined) this.#line.add(host);
      else this.#adopt(entry);
    }
    this.#next();
  }

  settled(entry: NameEntry): void {
    // It may have been driven out meanwhile.
    if (this.#options.resolver.find(entry.host) === entry) {
      if (entry.slot === 0) entry.slot = this.#freeSlots.pop() ?? this.#newSlot();
      entry.configured = this.#configured.has(entry.host);
      this.#schedule(entry);
    }
    this.#options.onSettled(entry);
  }

  dropped(entry: NameEntry): void {
    this.#unschedule(entry);
    if (entry.slot !== 0) this.#freeSlots.push(entry.slot);
    entry.slot = 0;
  }

  inUse(entry: NameEntry): boolean {
    const { uses } = this.#options;
    if (entry.slot === 0 || uses[entry.slot] === 0) return false;
    uses[entry.slot] = 0;
    entry.touched = true;
    return true;
  }

  close(): void {
    this.#closed = true;
    this.#line.clear();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  #adopt(entry: NameEntry): void {
    if (entry.configured) return;
    entry.configured = true;
    if (!this.#timers.has(entry)) this.#schedule(entry);
  }

  #newSlot(): number {
    return this.#nextSlot < this.#options.uses.length ? this.#nextSlot++ : 0;
  }

  #schedule(entry: NameEntry): void {
    this.#unschedule(entry);
    if (this.#closed || !this.#options.ahead) return;
    const now = this.#options.now();
    const wait = this.#waitOf(entry, now);
    if (wait === null) return;
    const pause = Math.min(Math.max(wait, MIN_PAUSE_MS), MAX_TIMER_MS);
    this.#timers.set(entry, setTimeout(() => this.#onTimer(entry), pause).unref());
  }

  /** Milliseconds until it is looked at again; null: never. */
  #waitOf(entry: NameEntry, now: number): number | null {
    const { ring, ttl, failures, refreshAt, retryAt, configured } = entry;
    // With a TTL of 0 each request asks; what is not there is asked for when somebody wants it, unless it is configured.
    if (ring === null ? !configured : ttl === 0 || ttl === Infinity) return null;
    if (failures === 0) return refreshAt - now;
    return Math.max(retryAt - now, Math.min(MIN_PAUSE_MS * 2 ** failures, MAX_PAUSE_MS));
  }

  #unschedule(entry: NameEntry): void {
    clearTimeout(this.#timers.get(entry));
    this.#timers.delete(entry);
  }

  #onTimer(entry: NameEntry): void {
    this.#timers.delete(entry);
    const { now, staleMs, idleMs = IDLE_MS } = this.#options;
    this.inUse(entry);
    if (entry.touched) entry.usedAt = now();
    entry.touched = false;
    const idle = now() - entry.usedAt;
    if (idle >= idleMs) {
      if (!entry.configured || entry.ring === null) return;
      // Twice before it is too stale to serve.
      const rest = entry.staleUntil - staleMs / 2 - now();
      if (staleMs > 0 && rest > 0) {
        const pause = Math.min(rest, MAX_TIMER_MS);
        this.#timers.set(entry, setTimeout(() => this.#onTimer(entry), pause).unref());
        return;
      }
    }
    this.#line.add(entry.host);
    this.#next();
  }

  /** The next lookups of the line, as many as may be. */
  #next(): void {
    for (const host of this.#line) {
      if (this.#lookups >= MAX_LOOKUPS) return;
      this.#line.delete(host);
      const lookup = this.#begin(host);
      if (lookup === null) continue;
      this.#lookups++;
      void lookup.then(() => {
        this.#lookups--;
        this.#next();
      });
    }
  }

  #begin(host: string): Promise<unknown> | null {
    const { resolver } = this.#options;
    const entry = resolver.find(host);
    if (entry !== undefined) return resolver.refresh(entry);
    // A name that nobody has asked for yet drives none out that somebody has.
    return resolver.full ? null : resolver.resolve(host).catch(() => undefined);
  }
}
