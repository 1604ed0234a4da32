/** What a plugin is handed when it is created: never sockets, and never the store of the configuration. */
import type { DirectoryEntities } from '../../entities/directory-kinds.ts';
import type { Key } from '../../entities/key.ts';
import type { PluginEntity, PluginEntityOf } from '../../entities/plugin-entities.ts';
import type { Plugin } from '../../entities/plugin.ts';
import type { Fields } from '../../entities/schema/field.ts';
import type { Redis, RedisTarget } from './redis.ts';

export interface PluginLog {
  debug(message: string): void;
  info(message: string): void;
  notice(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/** Consumers and credentials of the node, by index: in memory, never stale for longer than a second. */
export interface EntityLookup {
  find<K extends LookupKind>(kind: K, field: string, value: string): DirectoryEntities[K] | null;
  get<K extends LookupKind>(kind: K, id: string): DirectoryEntities[K] | null;
  owned<K extends LookupKind>(kind: K, ownerId: string): readonly DirectoryEntities[K][];
}

export type LookupKind = Exclude<keyof DirectoryEntities, 'plugin_entities'>;

/** Names of the fields by whose value one entity is found. */
export type UniqueField<F extends Fields> = {
  [K in keyof F & string]: F[K] extends { readonly unique: true } ? K : never;
}[keyof F & string];

/**
 * Entities of a kind that the plugin brings, by index, as `EntityLookup` has the gateway's. They are shared: nobody may
 * change them.
 */
export interface OwnEntities<F extends Fields> {
  get(id: string): PluginEntityOf<F> | null;
  find(field: UniqueField<F>, value: string): PluginEntityOf<F> | null;
  /** Those whose owner (`owner` of the description, or its first reference) is this one, in no order. */
  owned(ownerId: string): readonly PluginEntityOf<F>[];
}

/** Numbers that all workers of the node share. Bounded: the least used keys make room. Keys are the plugin's own. */
export interface SharedCounters {
  /**
   * Adds and answers the new value; a key that is not there begins at 0.
   *
   * @param ttlMs from its first increment on; none: until room is needed.
   */
  increment(key: string, by?: number, ttlMs?: number): number;
  /** 0 when the key is not there. */
  get(key: string): number;
  delete(key: string): void;
}

/** Texts and bytes that all workers of the node share. Bounded: the least used make room. Keys are the plugin's own. */
export interface SharedValues {
  get(key: string): Buffer | null;
  /** False: it is larger than one value may be (64 KiB). @param ttlMs none: until room is needed. */
  set(key: string, value: Uint8Array | string, ttlMs?: number): boolean;
  /** As `set`, but only where there is none (or it has expired): true for one caller on the whole node. */
  add(key: string, value: Uint8Array | string, ttlMs?: number): boolean;
  delete(key: string): void;
}

/** Values of one worker, by key; bounded; a value that is being loaded is loaded once for all who ask. */
export interface Cache<V> {
  get(key: string): V | undefined;
  set(key: string, value: V, ttlMs?: number): void;
  delete(key: string): void;
  clear(): void;
  /** What is cached, at once; else what `load` answers, kept for `ttlMs`. What it throws is not kept. */
  load(key: string, load: (key: string) => Promise<V>, ttlMs?: number): V | Promise<V>;
}

export interface CacheOptions {
  /** Entries; 1,000 unless said. */
  readonly max?: number;
  /** Milliseconds that a value is kept; 60,000 unless said. */
  readonly ttlMs?: number;
}

export interface FetchOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Uint8Array;
  /** Milliseconds for the whole exchange; 10,000 unless said. */
  readonly timeoutMs?: number;
  /** Octets of the response; 1 MiB unless said. A larger one is an error. */
  readonly maxBytes?: number;
  /** Whether certificates are verified; true unless said. */
  readonly tlsVerify?: boolean;
  readonly tls?: FetchTls;
  /** It does no harm when the server gets it twice. True for GET, HEAD, OPTIONS, PUT, DELETE and TRACE unless said. */
  readonly idempotent?: boolean;
  readonly signal?: AbortSignal;
}

/** Where the settings of the gateway will not do. Texts in PEM. */
export interface FetchTls {
  /** Authorities instead of `lua_ssl_trusted_certificate`. */
  readonly ca?: readonly string[];
  /** A client certificate with its chain, and its key. */
  readonly cert?: string;
  readonly key?: string;
  /** The name that is asked for and verified; that of the URL unless said. */
  readonly serverName?: string;
}

export interface FetchResponse {
  readonly status: number;
  /** Lower-case names; several lines joined with `, `, but for `set-cookie`. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Buffer;
  text(): string;
  /** @throws SyntaxError */
  json(): unknown;
}

/** A record of a plugin's own. */
export interface PluginRecord {
  readonly value: Readonly<Record<string, unknown>>;
  /** Another one after each change. */
  readonly version: number;
  /** Milliseconds that were left to it when it was read; null: no end. */
  readonly ttlMs: number | null;
}

export interface CollectionRecord extends PluginRecord {
  readonly key: string;
}

export interface CollectionInput {
  /** In clear in the store: nothing secret. */
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
  /** Index → value by which it is found as well, and that no other record has. Kept as keyed hashes: may be secret. */
  readonly unique?: Readonly<Record<string, string>>;
  /** Entities with which it goes. */
  readonly owners?: ReadonlyArray<{ readonly kind: string; readonly id: string }>;
}

/** Collections that Sluice's own plugins keep. */
export type RecordCollection = 'oauth2_tokens' | 'oauth2_authorization_codes' | 'sessions';

/** Records as the store has them. A key or value of more than 512 characters is not found. */
export interface RecordCollections {
  /** Without a promise where the worker has it; what any node changes is dropped there. Shared: nobody may change it. */
  get(collection: RecordCollection, key: string): CollectionRecord | null | Promise<CollectionRecord | null>;
  findBy(
    collection: RecordCollection,
    index: string,
    value: string,
  ): CollectionRecord | null | Promise<CollectionRecord | null>;
  /** @param options.ifVersion only if the record has this version; 0: only if there is none. @returns whether it was stored. */
  put(
    collection: RecordCollection,
    record: CollectionInput,
    options?: { readonly ifVersion?: number; readonly ttlMs?: number },
  ): Promise<boolean>;
  /** Whether there was one (of that version): true for one caller among all nodes. */
  delete(
    collection: RecordCollection,
    key: string,
    options?: { readonly ifVersion?: number },
  ): Promise<boolean>;
}

/** JSON objects that all configurations of a plugin share on all nodes. Values up to 64 KiB; sealed where secrets are. */
export interface OwnRecords {
  get(key: string): Promise<PluginRecord | null>;
  /** False: the record has another version than `ifVersion` (0: there must be none). */
  put(
    key: string,
    value: Readonly<Record<string, unknown>>,
    options?: { readonly ttlMs?: number; readonly ifVersion?: number },
  ): Promise<boolean>;
  /** Answers whether there was one. */
  delete(key: string): Promise<boolean>;
}

/**
 * Records that change with requests: kept in the gateway's database, never in its configuration. What is read may be a
 * moment old where another node has changed it. Every call rejects when the database does not answer within two seconds.
 */
export interface PluginRecords {
  /** False without a database: nothing can be written, and every call rejects. */
  readonly available: boolean;
  readonly own: OwnRecords;
  readonly collections: RecordCollections;
}

export interface PluginMetrics {
  /** @param labels names; values come with each call. @returns adds to it. */
  counter(
    name: string,
    help: string,
    labels?: readonly string[],
  ): (by?: number, values?: readonly string[]) => void;
  gauge(
    name: string,
    help: string,
    labels?: readonly string[],
  ): (value: number, values?: readonly string[]) => void;
  histogram(
    name: string,
    help: string,
    buckets: readonly number[],
    labels?: readonly string[],
  ): (value: number, values?: readonly string[]) => void;
}

export interface PluginServices {
  /** The entity that the filters are created for, with its scope. */
  readonly plugin: Plugin;
  readonly log: PluginLog;
  readonly node: {
    readonly id: string;
    readonly hostname: string;
    readonly workerId: number;
    /** Secrets are sealed where the configuration is stored: there is a database, and a key for it. */
    readonly sealsSecrets: boolean;
  };
  readonly entities: EntityLookup;
  /** @param entity one of the plugin's `entities`. */
  own<F extends Fields>(entity: PluginEntity<F>): OwnEntities<F>;
  readonly counters: SharedCounters;
  readonly shared: SharedValues;
  readonly records: PluginRecords;
  readonly metrics: PluginMetrics;
  cache<V>(options?: CacheOptions): Cache<V>;
  /**
   * Pooled connections, through the gateway's own resolver; redirects are answered, not followed. Rejects with `FetchError`
   * when there is no answer in time, or with TypeError what is no request.
   */
  fetch(url: string | URL, options?: FetchOptions): Promise<FetchResponse>;
  /** The worker's connection to that server, which plugins share. Nothing is connected or loaded before the first command. */
  redis(target: RedisTarget): Redis;
  /** What a vault reference leads to; the text itself when it is none. @throws VaultError */
  secret(text: string): string;
  /** Makes `lua_ssl_trusted_certificate` what TLS connections of the plugin's own are verified against. @throws Error */
  trust(): void;
  /** Keys of a configured key set, by its name; null: there is none. Private parts may be vault references. */
  keySet(name: string): readonly Key[] | null;
  /** A configured certificate with its key, in PEM, by id; null: there is none. */
  certificate(id: string): { readonly cert: string; readonly key: string } | null;
  /** PEM of a configured CA certificate, by id; null: there is none. */
  caCertificate(id: string): string | null;
  /**
   * Calls `task` every `ms` milliseconds until the filters are disposed of; one that still runs is not called again.
   *
   * @param on each worker, or one worker of the node.
   */
  every(ms: number, task: () => void | Promise<void>, on?: 'worker' | 'node'): void;
}
