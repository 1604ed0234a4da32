/**
 * Records in a SQLite file of their own, beside the catalog: a large transaction on the configuration, which is applied
 * in slices, holds its file's only write lock for seconds, and a token must not wait for that.
 *
 * Owners are looked up in the catalog when a record is put; when one goes later, `cascade.ts` takes its records along.
 */
import { chmodSync } from 'node:fs';
import { Connection } from '../catalog/connection.ts';
import { StoreUnavailable } from '../errors.ts';
import { NO_SEALING, type Sealer } from '../sealing.ts';
import { CounterRows } from './counter-rows.ts';
import { RecordFeed } from './feed.ts';
import { marksOf } from './marks.ts';
import { RecordCodec } from './record-codec.ts';
import { RecordRows } from './record-rows.ts';
import {
  checkPage,
  checkPut,
  checkSteps,
  isName,
  mergedSteps,
  type CounterStep,
  type ListOptions,
  type Owner,
  type PutOptions,
  type PutResult,
  type RecordInput,
  type RecordListener,
  type RecordPage,
  type RecordStore,
  type StoredRecord,
} from './records.ts';
import type { RecordSeals } from './record-seals.ts';
import { SqliteSeals } from './sqlite-seals.ts';
import { prepareRecordTables } from './sqlite-tables.ts';
import { unavailable, WriteQueue } from './write-queue.ts';

export interface SqliteRecordsOptions {
  readonly path: string;
  /** Is there such an entity in the configuration? */
  readonly exists: (owner: Owner) => boolean;
  /** Seals what is a secret; without, all is kept as it is. */
  readonly sealer?: Sealer;
}

const CACHE_KIB = 2048;
/** Rows that are over, removed along with each transaction, and by one step of the sweep. */
const SWEEP_ALONG = 16;
const SWEEP_STEP = 256;
const SWEEP_EVERY_MS = 10_000;

export class SqliteRecords implements RecordStore {
  readonly #connection: Connection;
  readonly #rows: RecordRows;
  readonly #counters: CounterRows;
  readonly #queue: WriteQueue;
  /** Rotation of the keys that seal them. */
  readonly seals: RecordSeals;
  readonly #exists: SqliteRecordsOptions['exists'];
  readonly #feed = new RecordFeed(true);
  readonly #sweeper: NodeJS.Timeout;
  /** Of the transaction under way; null: they cannot be told. */
  #marks: string[] | null = [];
  #closed = false;

  /** @throws Error of SQLite, WrongCatalog */
  constructor({ path, exists, sealer = NO_SEALING }: SqliteRecordsOptions) {
    this.#connection = new Connection(path, { durable: true, cacheKib: CACHE_KIB });
    chmodSync(path, 0o600);
    prepareRecordTables(this.#connection);
    const codec = new RecordCodec(sealer);
    this.#rows = new RecordRows(this.#connection, codec);
    this.#counters = new CounterRows(this.#connection);
    this.#exists = exists;
    this.#queue = new WriteQueue(this.#connection, {
      onEnd: () => void this.#removeOver(SWEEP_ALONG),
      onCommitted: () => this.#feed.tell(this.#takeMarks()),
      onFailed: () => void this.#takeMarks(),
    });
    this.seals = new SqliteSeals({
      path,
      connection: this.#connection,
      codec,
      queue: this.#queue,
      read: (look) => this.#read(look),
    });
    this.#sweeper = setInterval(() => void this.#sweep(), SWEEP_EVERY_MS).unref();
  }

  get(collection: string, key: string): Promise<StoredRecord | null> {
    return this.#read(() => this.#get(collection, key));
  }

  findBy(collection: string, index: string, value: string): Promise<StoredRecord | null> {
    return this.#read(() => {
      const keys = isName(value) ? this.#rows.holders(collection, index, value) : [];
      for (const key of keys) {
        const found = this.#get(collection, key);
        if (found !== null) return found;
      }
      return null;
    });
  }

  list(collection: string, options: ListOptions): Promise<RecordPage> {
    return this.#read(() => {
      checkPage(options);
      const found = this.#rows.list(collection, { ...options, size: options.size + 1 }, Date.now());
      const records = found.slice(0, options.size);
      return { records, next: found.length > options.size ? (records.at(-1)?.key ?? null) : null };
    });
  }

  async put(collection: string, record: RecordInput, options: PutOptions = {}): Promise<PutResult> {
    checkPut(collection, record, options);
    return await this.#queue.add(() => this.#put(collection, record, options));
  }

  async delete(
    collection: string,
    key: string,
    { ifVersion }: { readonly ifVersion?: number } = {},
  ): Promise<boolean> {
    return await this.#queue.add(() => {
      const version = this.#version(collection, key);
      if (version === 0 || (ifVersion ?? version) !== version) return false;
      this.#remove(collection, key);
      return true;
    });
  }

  async increment(collection: string, steps: readonly CounterStep[]): Promise<readonly number[]> {
    checkSteps(collection, steps);
    return await this.#queue.add(() => {
      const now = Date.now();
      const counts = new Map<string, number>();
      for (const [key, step] of mergedSteps(steps)) {
        counts.set(key, this.#counters.increment(collection, step, now));
      }
      return steps.map(({ key }) => counts.get(key) ?? 0);
    });
  }

  counts(collection: string, keys: readonly string[]): Promise<readonly number[]> {
    const count = (key: string): number =>
      isName(key) ? this.#counters.count(collection, key, Date.now()) : 0;
    return this.#read(() => keys.map(count));
  }

  watch(listener: RecordListener): Disposable {
    return this.#feed.add(listener);
  }

  /** Removes some of an entity's records. Answers whether there were any. */
  async removeOwned(owner: Owner): Promise<boolean> {
    if (this.#rows.owned(owner, 1).length === 0) return false;
    return await this.#queue.add(() => {
      const places = this.#rows.owned(owner, SWEEP_STEP);
      for (const { collection, key } of places) this.#remove(collection, key);
      return places.length > 0;
    });
  }

  /** Owners of records, after one, in order. */
  owners(after: Owner, limit: number): readonly Owner[] {
    return this.#rows.owners(after, limit);
  }

  /** A fact that is kept with the records. */
  meta(name: string): string | null {
    return this.#rows.meta(name);
  }

  setMeta(name: string, value: string): Promise<void> {
    return this.#queue.add(() => this.#rows.setMeta(name, value));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#sweeper);
    this.#queue.close();
    this.#connection.close();
  }

  #get(collection: string, key: string): StoredRecord | null {
    return isName(key) ? this.#rows.get(collection, key, Date.now()) : null;
  }

  #version(collection: string, key: string): number {
    return isName(key) ? this.#rows.version(collection, key, Date.now()) : 0;
  }

  #put(collection: string, record: RecordInput, { ifVersion, ttlMs }: PutOptions): PutResult {
    const { key, unique = {}, owners = [] } = record;
    const version = this.#version(collection, key);
    if (ifVersion !== undefined && ifVersion !== version) return { stored: false, conflict: 'version' };
    if (!owners.every((owner) => this.#exists(owner))) return { stored: false, conflict: 'owner' };
    const others = Object.entries(unique)
      .flatMap(([index, value]) => this.#rows.holders(collection, index, value))
      .filter((holder) => holder !== key);
    if (others.some((other) => this.#version(collection, other) > 0)) {
      return { stored: false, conflict: 'unique' };
    }
    for (const over of new Set(others)) this.#remove(collection, over);
    this.#remove(collection, key);
    this.#marks?.push(...marksOf(collection, record));
    const expires = ttlMs === undefined ? null : Date.now() + ttlMs;
    return { stored: true, version: this.#rows.put(collection, record, expires) };
  }

  #remove(collection: string, key: string): void {
    const marks = this.#rows.remove(collection, key);
    if (marks === null) this.#marks = null;
    else this.#marks?.push(...marks);
  }

  #removeOver(limit: number): number {
    const now = Date.now();
    return this.#rows.sweep(now, limit) + this.#counters.sweep(now, limit);
  }

  #takeMarks(): string[] | null {
    const marks = this.#marks;
    this.#marks = [];
    return marks;
  }

  async #read<T>(look: () => T): Promise<T> {
    if (this.#closed) throw new StoreUnavailable('the records are closed');
    try {
      return look();
    } catch (error) {
      throw error instanceof RangeError ? error : unavailable(error);
    }
  }

  /** Until nothing is left that is over, with the event loop let run between steps. */
  async #sweep(): Promise<void> {
    const step = (): number => this.#removeOver(SWEEP_STEP);
    try {
      while (!this.#closed && (await this.#queue.add(step)) > 0);
    } catch {
      // The next one tries again.
    }
  }
}
