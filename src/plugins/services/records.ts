/**
 * Records for plugins, by messages to the thread that has the store. Answers come through the worker's cache, which drops
 * what any node changes. Secrets go as they are: the store seals them, and finds them by a keyed hash.
 *
 * An entity that is a record is made as the Admin API makes one: complete and checked by its schema, which is loaded when a
 * plugin first writes; its id is the key, its unique fields find it, and what it refers to owns it.
 */
import type { EntityDefinition, Values } from '../../entities/schema/field.ts';
import type {
  OwnRecords,
  PluginRecord,
  PluginRecords,
  RecordCollections,
  RecordKind,
} from '../kit/services.ts';
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

const DEFINITIONS: Readonly<Record<RecordKind, () => Promise<EntityDefinition>>> = {
  oauth2_tokens: async () => (await import('../../entities/oauth2-token.ts')).oauth2Tokens,
};

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

  async find(kind: RecordKind, field: string, value: string): Promise<Values | null> {
    const { reader } = this.#open();
    return shown(await (field === 'id' ? reader.get(kind, value) : reader.findBy(kind, field, value)));
  }

  async insert(kind: RecordKind, input: Values): Promise<Values> {
    const { writer } = this.#open();
    const { record, ttlMs } = await prepare(await DEFINITIONS[kind](), input);
    const options = { ifVersion: 0, ...(ttlMs === null ? {} : { ttlMs }) };
    const result = await writer.put(kind, record, options);
    if (!result.stored) throw new Error(`${kind}: refused by the store (${result.conflict})`);
    return { ...record.value, ttl: seconds(ttlMs) };
  }

  async delete(kind: RecordKind, id: string): Promise<boolean> {
    return await this.#open().writer.delete(kind, id);
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

/** With the whole seconds that are left, as the Admin API shows it; 0 would be no end. */
function shown(found: Found): Values | null {
  return found === null ? null : { ...found.value, ttl: seconds(found.ttlMs) };
}

function seconds(ttlMs: number | null): number | null {
  return ttlMs === null ? null : Math.max(1, Math.floor(ttlMs / 1000));
}

interface Prepared {
  readonly record: {
    readonly key: string;
    readonly value: Values;
    readonly unique: Record<string, string>;
    readonly owners: Owner[];
  };
  readonly ttlMs: number | null;
}

/** @throws TypeError with what is wrong, by field; never with a value */
async function prepare(definition: EntityDefinition, { ttl, ...input }: Values): Promise<Prepared> {
  const { EntityValidator } = await import('../../entities/schema/validate.ts');
  const given = { flavor: 'traditional_compatible', now: Date.now() / 1000 } as const;
  const { entity, issues } = new EntityValidator(definition).validate({ input }, given);
  if (issues !== null) {
    const wrong = issues.map(({ at, message }) => `${at.map(String).join('.')}: ${message}`);
    throw new TypeError(`${definition.name}: ${wrong.join('; ')}`);
  }
  if (ttl != null && !(typeof ttl === 'number' && ttl >= 0)) throw new TypeError(`${definition.name}: ttl`);
  const unique: Record<string, string> = {};
  const owners: Owner[] = [];
  for (const [name, field] of Object.entries(definition.fields)) {
    const value = entity[name];
    if (field.unique === true && typeof value === 'string') unique[name] = value;
    if (field.type === 'foreign' && value != null) {
      owners.push({ kind: field.reference, id: (value as { readonly id: string }).id });
    }
  }
  const record = { key: String(entity['id']), value: entity, unique, owners };
  return { record, ttlMs: typeof ttl === 'number' && ttl > 0 ? Math.ceil(ttl * 1000) : null };
}
