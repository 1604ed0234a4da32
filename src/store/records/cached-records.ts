/**
 * A cache of records for requests: a hit is answered at once and without a promise, a miss asks the store.
 *
 * It also keeps that there is no such record, and asks about each only once at a time. What the feed of changes names
 * is dropped; an answer that was under way meanwhile goes to those who wait for it, and is not kept. Nothing is kept
 * longer than the record lives, nor than the feed can be trusted. Errors are not kept: they go to the caller, who
 * answers 503 or what it has to say instead.
 */
import { keyMark, uniqueMark } from './marks.ts';
import type { RecordStore, StoredRecord } from './records.ts';

export type Found = StoredRecord | null;

export interface CacheBounds {
  readonly entries: number;
  /** UTF-16 units of names and values together. */
  readonly characters: number;
}

/** Milliseconds that an entry is kept: a safety net where changes are told, all that there is where they are not. */
const TRUSTED_MS = 60_000;
const UNTOLD_MS = 1000;
/** What an entry costs beside its texts, in characters. */
const OVERHEAD = 256;

interface Entry {
  readonly mark: string;
  readonly record: Found;
  /** By `performance.now()`. */
  readonly end: number;
  readonly size: number;
}

interface Load {
  readonly promise: Promise<Found>;
  stale: boolean;
}

export class CachedRecords implements Disposable {
  readonly #store: RecordStore;
  readonly #bounds: CacheBounds;
  /** By name; the one used last is last. */
  readonly #entries = new Map<string, Entry>();
  readonly #nameOf = new Map<string, string>();
  /** By mark. */
  readonly #loads = new Map<string, Load>();
  readonly #watch: Disposable;
  #size = 0;
  #told = false;

  constructor(store: RecordStore, bounds: CacheBounds) {
    this.#store = store;
    this.#bounds = bounds;
    this.#watch = store.watch({
      changed: (marks) => this.#changed(marks),
      telling: (works) => {
        this.#told = works;
      },
    });
  }

  /** A record is shared by all who got it: nobody may change it. Rejects as the store does. */
  get(collection: string, key: string): Found | Promise<Found> {
    const name = `${collection}\0${key}`;
    const entry = this.#hit(name);
    if (entry !== null) return entry.record;
    return this.#load(name, keyMark(collection, key), () => this.#store.get(collection, key));
  }

  /** Likewise. */
  findBy(collection: string, index: string, value: string): Found | Promise<Found> {
    const name = `${collection}\0${index}\0${value}`;
    const entry = this.#hit(name);
    if (entry !== null) return entry.record;
    const mark = uniqueMark(collection, index, value);
    return this.#load(name, mark, () => this.#store.findBy(collection, index, value));
  }

  /** Entries now. */
  get size(): number {
    return this.#entries.size;
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
    this.#changed(null);
  }

  #hit(name: string): Entry | null {
    const entry = this.#entries.get(name);
    if (entry === undefined) return null;
    this.#entries.delete(name);
    if (entry.end > performance.now()) {
      this.#entries.set(name, entry);
      return entry;
    }
    this.#forget(entry);
    return null;
  }

  #load(name: string, mark: string, ask: () => Promise<Found>): Promise<Found> {
    const under = this.#loads.get(mark);
    // Who comes after a change must not get what was before it.
    if (under !== undefined && !under.stale) return under.promise;
    const began = performance.now();
    const load: Load = { stale: false, promise: ask().finally(() => this.#ended(mark, load)) };
    this.#loads.set(mark, load);
    load.promise.then(
      (record) => {
        if (!load.stale) this.#keep(name, mark, record, began);
      },
      () => undefined,
    );
    return load.promise;
  }

  #ended(mark: string, load: Load): void {
    if (this.#loads.get(mark) === load) this.#loads.delete(mark);
  }

  #keep(name: string, mark: string, record: Found, began: number): void {
    const size = name.length + OVERHEAD + (record === null ? 0 : JSON.stringify(record).length);
    const end = began + Math.min(record?.ttlMs ?? Infinity, this.#told ? TRUSTED_MS : UNTOLD_MS);
    this.#drop(this.#nameOf.get(mark));
    this.#drop(name);
    this.#entries.set(name, { mark, record, end, size });
    this.#nameOf.set(mark, name);
    this.#size += size;
    const { entries, characters } = this.#bounds;
    while (this.#entries.size > entries || this.#size > characters)
      this.#drop(this.#entries.keys().next().value);
  }

  #drop(name: string | undefined): void {
    if (name === undefined) return;
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    this.#entries.delete(name);
    this.#forget(entry);
  }

  #forget({ mark, size }: Entry): void {
    this.#nameOf.delete(mark);
    this.#size -= size;
  }

  #changed(marks: readonly string[] | null): void {
    if (marks === null) {
      this.#entries.clear();
      this.#nameOf.clear();
      this.#size = 0;
      for (const load of this.#loads.values()) load.stale = true;
      return;
    }
    for (const mark of marks) {
      this.#drop(this.#nameOf.get(mark));
      const load = this.#loads.get(mark);
      if (load !== undefined) load.stale = true;
    }
  }
}
