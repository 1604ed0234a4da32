/**
 * A plugin's cache in its worker: bounded, each value with an end, and each loaded once for all who ask meanwhile.
 *
 * The entry used last is the last to go. A value whose key was deleted (or set, or the cache cleared) while it was being
 * loaded goes to those who wait for it and is not kept: it may be what was so before the change.
 */
import { performance } from 'node:perf_hooks';
import type { Cache, CacheOptions } from '../kit/services.ts';

const MAX = 1000;
const TTL_MS = 60_000;

interface Entry<V> {
  readonly value: V;
  readonly end: number;
}

interface Loading<V> {
  readonly promise: Promise<V>;
}

export class MemoryCache<V> implements Cache<V> {
  readonly #max: number;
  readonly #ttlMs: number;
  readonly #now: () => number;
  readonly #entries = new Map<string, Entry<V>>();
  /** Those that may be kept when they come. */
  readonly #loading = new Map<string, Loading<V>>();

  /** @param now milliseconds, never going back. @throws RangeError */
  constructor({ max = MAX, ttlMs = TTL_MS }: CacheOptions = {}, now: () => number = () => performance.now()) {
    if (!Number.isInteger(max) || max < 1) throw new RangeError(`max: ${max}`);
    this.#max = max;
    this.#ttlMs = checkedTtl(ttlMs);
    this.#now = now;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): V | undefined {
    return this.#hit(key)?.value;
  }

  set(key: string, value: V, ttlMs?: number): void {
    this.#loading.delete(key);
    this.#keep(key, value, ttlMs);
  }

  delete(key: string): void {
    this.#loading.delete(key);
    this.#entries.delete(key);
  }

  clear(): void {
    this.#loading.clear();
    this.#entries.clear();
  }

  load(key: string, load: (key: string) => Promise<V>, ttlMs?: number): V | Promise<V> {
    const entry = this.#hit(key);
    if (entry !== undefined) return entry.value;
    const under = this.#loading.get(key);
    if (under !== undefined) return under.promise;
    const loading: Loading<V> = { promise: Promise.try(load, key) };
    this.#loading.set(key, loading);
    loading.promise.then(
      (value) => {
        if (this.#forget(key, loading)) this.#keep(key, value, ttlMs);
      },
      () => this.#forget(key, loading),
    );
    return loading.promise;
  }

  #hit(key: string): Entry<V> | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    if (entry.end <= this.#now()) return undefined;
    this.#entries.set(key, entry);
    return entry;
  }

  #keep(key: string, value: V, ttlMs = this.#ttlMs): void {
    this.#entries.delete(key);
    this.#entries.set(key, { value, end: this.#now() + checkedTtl(ttlMs) });
    if (this.#entries.size > this.#max) this.#entries.delete(this.#entries.keys().next().value ?? '');
  }

  /** True: it was still wanted. */
  #forget(key: string, loading: Loading<V>): boolean {
    return this.#loading.get(key) === loading && this.#loading.delete(key);
  }
}

function checkedTtl(ttlMs: number): number {
  if (!(ttlMs >= 0)) throw new RangeError(`ttlMs: ${ttlMs}`);
  return ttlMs;
}
