/** Records in the test's memory, with the rules of those of a store: versions, unique values, times to live. */
import type { CollectionInput, CollectionRecord } from '../../src/plugins/kit/services.ts';
import type { RecordAccess } from '../../src/plugins/services/records.ts';

type RecordReader = RecordAccess['reader'];
type RecordWriter = RecordAccess['writer'];

interface Row extends CollectionInput {
  readonly version: number;
  /** By `Date.now()`; Infinity: no end. */
  readonly end: number;
}

export class MemoryRecords implements RecordReader, RecordWriter {
  readonly #rows = new Map<string, Row>();
  #version = 0;
  /** Rejects everything while it is set. */
  away = false;
  /** What was put last into each collection. */
  readonly last = new Map<string, CollectionInput & { readonly ttlMs: number | undefined }>();

  get(collection: string, key: string): Promise<CollectionRecord | null> {
    return this.#answer(() => this.#read(`${collection} ${key}`));
  }

  findBy(collection: string, index: string, value: string): Promise<CollectionRecord | null> {
    return this.#answer(() => {
      for (const [name, row] of this.#rows) {
        if (name.startsWith(`${collection} `) && row.unique?.[index] === value) return this.#read(name);
      }
      return null;
    });
  }

  put(
    collection: string,
    record: CollectionInput,
    options: { readonly ifVersion?: number; readonly ttlMs?: number } = {},
  ): ReturnType<RecordWriter['put']> {
    return this.#answer(() => {
      const name = `${collection} ${record.key}`;
      const before = this.#read(name)?.version ?? 0;
      if (options.ifVersion !== undefined && options.ifVersion !== before) {
        return { stored: false as const, conflict: 'version' as const };
      }
      if (JSON.stringify(record.value).length > 65_536) throw new RangeError('too long');
      const version = ++this.#version;
      this.#rows.set(name, { ...record, version, end: Date.now() + (options.ttlMs ?? Infinity) });
      this.last.set(collection, { ...record, ttlMs: options.ttlMs });
      return { stored: true as const, version };
    });
  }

  delete(collection: string, key: string, options: { readonly ifVersion?: number } = {}): Promise<boolean> {
    return this.#answer(() => {
      const found = this.#read(`${collection} ${key}`);
      if (found === null || (options.ifVersion ?? found.version) !== found.version) return false;
      return this.#rows.delete(`${collection} ${key}`);
    });
  }

  /** Records of the collection. */
  count(collection: string): number {
    return [...this.#rows.keys()].filter((name) => name.startsWith(`${collection} `)).length;
  }

  #read(name: string): CollectionRecord | null {
    const row = this.#rows.get(name);
    if (row === undefined || row.end <= Date.now()) return null;
    const ttlMs = row.end === Infinity ? null : row.end - Date.now();
    return { key: row.key, value: row.value, version: row.version, ttlMs };
  }

  /** Later, as a store does. */
  async #answer<T>(work: () => T): Promise<T> {
    await new Promise((done) => setImmediate(done));
    if (this.away) throw new Error('the store is away');
    return work();
  }
}
