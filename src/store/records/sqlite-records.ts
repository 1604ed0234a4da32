/**
 * Records in a SQLite file of their own, beside the catalog: a large transaction on the configuration, which is applied
 * in slices, holds its file's only write lock for seconds, and a token must not wait for that.
 *
 * Owners are looked up in the catalog when a record is put; when one goes later, `cascade.ts` takes its records along.
 */
import { chmodSync } from '../../lib/node-fs.ts';
import { Connection } from '../catalog/connection.ts';
import { StoreUnavailable } from '../errors.ts';
import { NO_SEALING, type Sealer } from '../sealing.ts';
import { RecordFeed } from './feed.ts';
import { RecordCodec } from './record-codec.ts';
import { RecordRows } from './record-rows.ts';
import {
  checkPage,
  checkPut,
  checkSteps,
  isName,
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
import { SqliteWriter } from './sqlite-writer.ts';
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
  readonly #writer: SqliteWriter;
  readonly #queue: WriteQueue;
  /** Rotation of the keys that seal them. */
  readonly seals: RecordSeals;
  readonly #feed = new RecordFeed(true);
  readonly #sweeper: NodeJS.Timeout;
  #closed = false;

  /** @throws Error of SQLite, WrongCatalog */
  constructor({ path, exists, sealer = NO_SEALING }: SqliteRecordsOptions) {
    this.#connection = new Connection(path, { durable: true, cacheKib: CACHE_KIB });
    chmodSync(path, 0o600);
    prepareRecordTables(this.#connection);
    const codec = new RecordCodec(sealer);
    this.#rows = new RecordRows(this.#connection, codec);
    const writer = new SqliteWriter(this.#connection, this.#rows, exists);
    this.#writer = writer;
    this.#queue = new WriteQueue(this.#connection, {
      onEnd: () => void writer.removeOver(SWEEP_ALONG),
      onCommitted: () => this.#feed.tell(writer.takeMarks()),
      onFailed: () => void writer.takeMarks(),
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
    return await this.#queue.add(() => this.#writer.put(collection, record, options));
  }

  async delete(
    collection: string,
    key: string,
    { ifVersion }: { readonly ifVersion?: number } = {},
  ): Promise<boolean> {
    return await this.#queue.add(() => this.#writer.delete(collection, key, ifVersion));
  }

  async increment(collection: string, steps: readonly CounterStep[]): Promise<readonly number[]> {
    checkSteps(collection, steps);
    return await this.#queue.add(() => this.#writer.increment(collection, steps));
  }

  counts(collection: string, keys: readonly string[]): Promise<readonly number[]> {
    return this.#read(() => keys.map((key) => this.#writer.count(collection, key)));
  }

  watch(listener: RecordListener): Disposable {
    return this.#feed.add(listener);
  }

  /** Removes some of an entity's records. Answers whether there were any. */
  async removeOwned(owner: Owner): Promise<boolean> {
    if (this.#rows.owned(owner, 1).length === 0) return false;
    return await this.#queue.add(() => this.#writer.removeOwned(owner, SWEEP_STEP));
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
    const step = (): number => this.#writer.removeOver(SWEEP_STEP);
    try {
      while (!this.#closed && (await this.#queue.add(step)) > 0);
    } catch {
      // The next one tries again.
    }
  }
}
