/**
 * Records in Postgres, in the log's database and over its connections (docs/adr/0020-records.md).
 *
 * It is there before the database is: until a log is attached, all calls say that it is away. Changes are told to this
 * node at once, and to all by the log's LISTEN.
 */
import { StoreUnavailable } from '../errors.ts';
import type { Resealed } from '../catalog/reseal.ts';
import type { RecordSeals } from '../records/record-seals.ts';
import { NO_SEALING, type Sealer } from '../sealing.ts';
import { RecordFeed } from '../records/feed.ts';
import { RecordCodec } from '../records/record-codec.ts';
import {
  checkPage,
  checkPut,
  checkSteps,
  isName,
  type CounterStep,
  type ListOptions,
  type PutOptions,
  type PutResult,
  type RecordInput,
  type RecordListener,
  type RecordPage,
  type RecordStore,
  type StoredRecord,
} from '../records/records.ts';
import { incrementCounters, readCounters } from './counters.ts';
import { unavailable } from './failure.ts';
import type { PostgresLog, RecordSource } from './postgres-log.ts';
import { countRecordSeals, resealRecords } from './record-seals.ts';
import { putRecord } from './record-put.ts';
import {
  type RecordPlace,
  ANYTHING,
  deleteRecord,
  findRecord,
  getRecord,
  listRecords,
  sweepRecords,
} from './record-rows.ts';

const SWEEP_EVERY_MS = 30_000;
const SWEEP_STEP = 500;

export class PostgresRecords implements RecordStore, RecordSeals {
  readonly #feed = new RecordFeed(false);
  readonly #sweeper: NodeJS.Timeout;
  readonly #codec: RecordCodec;
  #source: RecordSource | null = null;

  /** @param sealer seals what is a secret; without, all is kept as it is. */
  constructor(sealer: Sealer = NO_SEALING) {
    this.#codec = new RecordCodec(sealer);
    this.#sweeper = setInterval(() => void this.#sweep(), SWEEP_EVERY_MS).unref();
  }

  attach(log: PostgresLog): void {
    this.#source = log.recordSource({
      onRecords: (payload) => this.#feed.tell(payload === ANYTHING ? null : payload.split(' ')),
      onWorking: (works) => {
        this.#feed.works = works;
      },
    });
  }

  async get(collection: string, key: string): Promise<StoredRecord | null> {
    if (!isName(collection) || !isName(key)) return null;
    return await this.#with((place) => getRecord(place, collection, key));
  }

  async findBy(collection: string, index: string, value: string): Promise<StoredRecord | null> {
    if (!isName(collection) || !isName(index) || !isName(value)) return null;
    return await this.#with((place) => findRecord(place, { collection, index, value }));
  }

  async list(collection: string, options: ListOptions): Promise<RecordPage> {
    checkPage(options);
    if (!isName(collection)) return { records: [], next: null };
    const { size } = options;
    const found = await this.#with((place) => listRecords(place, collection, { ...options, size: size + 1 }));
    const records = found.slice(0, size);
    return { records, next: found.length > size ? (records.at(-1)?.key ?? null) : null };
  }

  async put(collection: string, record: RecordInput, options: PutOptions = {}): Promise<PutResult> {
    checkPut(collection, record, options);
    const { result, marks } = await this.#with((place) =>
      putRecord(place, { collection, record, options }, place.timing),
    );
    this.#feed.tell(marks);
    return result;
  }

  async delete(
    collection: string,
    key: string,
    { ifVersion }: { readonly ifVersion?: number } = {},
  ): Promise<boolean> {
    if (!isName(collection) || !isName(key)) return false;
    const which = { collection, key, ifVersion: ifVersion ?? null };
    const marks = await this.#with(({ handle }) => deleteRecord(handle, which));
    this.#feed.tell(marks?.split(' ') ?? []);
    return marks !== null;
  }

  async increment(collection: string, steps: readonly CounterStep[]): Promise<readonly number[]> {
    checkSteps(collection, steps);
    const counts = await this.#with(({ handle }) => incrementCounters(handle, collection, steps));
    return steps.map(({ key }) => counts.get(key) ?? 0);
  }

  async counts(collection: string, keys: readonly string[]): Promise<readonly number[]> {
    const names = isName(collection) ? keys.filter(isName) : [];
    const counts = await this.#with(({ handle }) => readCounters(handle, collection, names));
    return keys.map((key) => counts.get(key) ?? 0);
  }

  watch(listener: RecordListener): Disposable {
    return this.#feed.add(listener);
  }

  async reseal(): Promise<Resealed> {
    return await this.#with((place) => resealRecords(place, place.timing));
  }

  async sealCounts(): Promise<Readonly<Record<string, number>>> {
    return await this.#with(countRecordSeals);
  }

  /** What Postgres keeps of older rows is for its own tools: `VACUUM`. */
  scrub(): Promise<boolean> {
    return Promise.resolve(true);
  }

  /** Connections are the log's. */
  close(): void {
    clearInterval(this.#sweeper);
    this.#source = null;
  }

  async #with<T>(work: (place: RecordSource & RecordPlace) => Promise<T>): Promise<T> {
    if (this.#source === null) throw new StoreUnavailable('the database was not reached yet');
    try {
      return await work({ ...this.#source, codec: this.#codec });
    } catch (error) {
      throw unavailable(error);
    }
  }

  async #sweep(): Promise<void> {
    try {
      while (this.#source !== null && (await sweepRecords(this.#source.handle, SWEEP_STEP)) > 0);
    } catch {
      // The next one tries again.
    }
  }
}
