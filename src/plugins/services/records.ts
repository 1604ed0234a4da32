/**
 * Records for plugins, by messages to the thread that has the store. Answers come through the worker's cache, which drops
 * what any node changes. Secrets go as they are: the store seals them, and finds them by a keyed hash.
 */
import type { OwnRecords, PluginRecord, PluginRecords, RecordCollection } from '../kit/services.ts';

type Found = PluginRecord | null;
type Put = PluginRecords['put'];
type PutInput = Parameters<Put>[1];
type PutOptions = Parameters<Put>[2];

/** What of the worker's cache is used. */
export interface RecordReader {
  get(collection: string, key: string): Found | Promise<Found>;
  findBy(collection: string, index: string, value: string): Found | Promise<Found>;
}

/** What of the store is used. */
export interface RecordWriter {
  put(collection: string, record: PutInput, options?: PutOptions): ReturnType<Put>;
  delete(collection: string, key: string, options?: { readonly ifVersion?: number }): Promise<boolean>;
}

export interface RecordAccess {
  readonly reader: RecordReader;
  readonly writer: RecordWriter;
}

/** UTF-16 units of a key or value; longer ones are no record's. */
const MAX_NAME = 512;

const isName = (text: string): boolean =>
  text.length > 0 && text.length <= MAX_NAME && text.isWellFormed() && !text.includes('\0');

export class StoredRecords implements PluginRecords {
  readonly available: boolean;
  readonly own: OwnRecords;
  readonly #access: RecordAccess | null;

  /** @param access null: there is no database. @param plugin whose own records `own` are. */
  constructor(access: RecordAccess | null, plugin: string) {
    this.available = access !== null;
    this.#access = access;
    this.own = new CollectionRecords(() => this.#open(), `plugins/${plugin}`);
  }

  get(collection: RecordCollection, key: string): Found | Promise<Found> {
    if (this.#access === null) return Promise.reject(noDatabase());
    return isName(key) ? this.#access.reader.get(collection, key) : null;
  }

  findBy(collection: RecordCollection, index: string, value: string): Found | Promise<Found> {
    if (this.#access === null) return Promise.reject(noDatabase());
    return isName(value) ? this.#access.reader.findBy(collection, index, value) : null;
  }

  async put(collection: RecordCollection, record: PutInput, options?: PutOptions): ReturnType<Put> {
    return this.#open().writer.put(collection, record, options);
  }

  async delete(
    collection: RecordCollection,
    key: string,
    options?: { readonly ifVersion?: number },
  ): Promise<boolean> {
    return this.#open().writer.delete(collection, key, options);
  }

  #open(): RecordAccess {
    if (this.#access === null) throw noDatabase();
    return this.#access;
  }
}

class CollectionRecords implements OwnRecords {
  readonly #open: () => RecordAccess;
  readonly #collection: string;

  constructor(open: () => RecordAccess, collection: string) {
    this.#open = open;
    this.#collection = collection;
  }

  async get(key: string): Promise<Found> {
    const { reader } = this.#open();
    return isName(key) ? await reader.get(this.#collection, key) : null;
  }

  async put(
    key: string,
    value: PluginRecord['value'],
    options: { readonly ttlMs?: number; readonly ifVersion?: number } = {},
  ): Promise<boolean> {
    return (await this.#open().writer.put(this.#collection, { key, value }, options)).stored;
  }

  async delete(key: string): Promise<boolean> {
    return await this.#open().writer.delete(this.#collection, key);
  }
}

function noDatabase(): Error {
  return new Error('without a database there are no records');
}
