/**
 * Records for plugins, by messages to the thread that has the store. Answers come through the worker's cache, which drops
 * what any node changes. Secrets go as they are: the store seals them, and finds them by a keyed hash.
 */
import type { Values } from '../../entities/schema/field.ts';
import type { OwnRecords, PluginRecord, PluginRecords, RecordCollections } from '../kit/services.ts';
import { sharedCollections } from './record-collections.ts';

interface Stored {
  readonly key: string;
  readonly value: Values;
  readonly version: number;
  readonly ttlMs: number | null;
}

type Found = Stored | null;

/** What of the worker's cache is used. */
export interface RecordReader {
  get(collection: string, key: string): Found | Promise<Found>;
  findBy(collection: string, index: string, value: string): Found | Promise<Found>;
}

interface Owner {
  readonly kind: string;
  readonly id: string;
}

/** What of the store is used. */
export interface RecordWriter {
  put(
    collection: string,
    record: {
      readonly key: string;
      readonly value: Values;
      readonly unique?: Readonly<Record<string, string>>;
      readonly owners?: readonly Owner[];
    },
    options?: { readonly ifVersion?: number; readonly ttlMs?: number },
  ): Promise<{ readonly stored: true } | { readonly stored: false; readonly conflict: string }>;
  delete(collection: string, key: string, options?: { readonly ifVersion?: number }): Promise<boolean>;
}

export interface RecordAccess {
  readonly reader: RecordReader;
  readonly writer: RecordWriter;
}

export class StoredRecords implements PluginRecords {
  readonly available: boolean;
  readonly own: OwnRecords;
  readonly collections: RecordCollections;
  readonly #access: RecordAccess | null;

  /** @param access null: there is no database. @param plugin whose own records `own` are. */
  constructor(access: RecordAccess | null, plugin: string) {
    this.available = access !== null;
    this.#access = access;
    this.own = new CollectionRecords(() => this.#open(), `plugins/${plugin}`);
    this.collections = sharedCollections(() => this.#open());
  }

  #open(): RecordAccess {
    if (this.#access === null) throw new Error('without a database there are no records');
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

  async get(key: string): Promise<PluginRecord | null> {
    const found = await this.#open().reader.get(this.#collection, key);
    return found === null ? null : { value: found.value, version: found.version, ttlMs: found.ttlMs };
  }

  async put(
    key: string,
    value: Values,
    options: { readonly ttlMs?: number; readonly ifVersion?: number } = {},
  ): Promise<boolean> {
    return (await this.#open().writer.put(this.#collection, { key, value }, options)).stored;
  }

  async delete(key: string): Promise<boolean> {
    return await this.#open().writer.delete(this.#collection, key);
  }
}
