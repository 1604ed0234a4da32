/**
 * A catalog: the configuration of this node in a SQLite file, with its log (docs/adr/0018-catalog.md).
 *
 * One transaction at a time writes, through `begin`; the caller sees to that. Readers have a connection of their own
 * and see the last commit.
 */
import { chmodSync, rmSync } from '../../lib/node-fs.ts';
import { checkpoint } from './checkpoint.ts';
import { PLAIN_CODEC, type EntityCodec } from './codec.ts';
import { Connection } from './connection.ts';
import { type IndexTexts, indexingAnew, indexTexts, keptKinds, staleKinds } from './kind-sync.ts';
import { CatalogReader } from './reader.ts';
import { Recorder } from './recorder.ts';
import { countingSeals, type Resealed, resealing } from './reseal.ts';
import { Rows } from './rows.ts';
import { prepareTables } from './tables.ts';
import { Slices } from '../slices.ts';
import { CatalogTransaction } from './transaction.ts';

export interface CatalogOptions {
  readonly path: string;
  readonly codec?: EntityCodec;
  /** A commit survives a power cut. */
  readonly durable: boolean;
}

const READ_CACHE_KIB = 4096;
const SNAPSHOT_CACHE_KIB = 1024;
/**
 * What a large transaction touches lies all over the file: ids are random. What has no room goes to the log meanwhile, in
 * slices, and what has room is written by the commit at once. Given back when it is over.
 */
const WRITE_CACHE_KIB = 49_152;
/** SQLite's own: pages in the log after which a commit moves them to the file. */
const AUTO_CHECKPOINT = 1000;
/** Changes of a commit that is large. */
const LARGE = 1000;
/** Where the ids of the keys are noted that something may be sealed by. */
const SEAL_KEYS = 'seal_keys';
/** Where it is noted by what the entities of plugins are indexed. */
const PLUGIN_KINDS = 'plugin_kinds';
/** Revisions dropped from the log at once, so that nobody waits. */
const COMPACT_STEP = 100;

export class Catalog {
  readonly reader: CatalogReader;
  readonly codec: EntityCodec;
  readonly #path: string;
  readonly #durable: boolean;
  #closed = false;
  readonly #writing: Connection;
  readonly #reading: Connection;
  readonly #rows: Rows;

  /** @throws Error of SQLite, WrongCatalog */
  constructor({ path, durable, codec = PLAIN_CODEC }: CatalogOptions) {
    this.codec = codec;
    this.#path = path;
    this.#durable = durable;
    this.#writing = new Connection(path, { durable, cacheKib: WRITE_CACHE_KIB });
    // It holds secrets; SQLite's companions take over its mode.
    chmodSync(path, 0o600);
    prepareTables(this.#writing);
    this.#reading = new Connection(path, { durable, cacheKib: READ_CACHE_KIB });
    this.#rows = new Rows(this.#writing, codec);
    this.reader = new CatalogReader(new Rows(this.#reading, codec));
  }

  begin(): CatalogTransaction {
    this.#writing.exec('BEGIN IMMEDIATE');
    try {
      const head = Number(this.meta('revision') ?? 0);
      return new CatalogTransaction(this.#rows, new Recorder(this.#writing, head + 1));
    } catch (error) {
      this.#writing.rollback();
      throw error;
    }
  }

  /** What is committed now, to be read at leisure: later commits do not show in it. */
  snapshot(): Disposable & { readonly reader: CatalogReader } {
    const connection = new Connection(this.#path, { durable: false, cacheKib: SNAPSHOT_CACHE_KIB });
    const reader = new CatalogReader(new Rows(connection, this.codec));
    try {
      connection.exec('BEGIN');
      // The first read is what it sees from then on.
      void reader.revision;
    } catch (error) {
      connection.close();
      throw error;
    }
    return { reader, [Symbol.dispose]: () => connection.close() };
  }

  /** Facts about the catalog itself: `revision`, `cluster`, … */
  meta(name: string): string | null {
    const row = this.#writing.get('SELECT value FROM meta WHERE name = ?', name);
    return row === undefined ? null : String(row['value']);
  }

  setMeta(name: string, value: string): void {
    this.#writing.run(
      'INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
      name,
      value,
    );
  }

  /**
   * Drops a few of the oldest commits beyond `keep`. Answers whether there are more. It waits for the disk as a commit
   * does, so it is not done before there is a tenth too many, or enough.
   */
  compact(keep: number): boolean {
    const head = Number(this.meta('revision') ?? 0);
    const oldest = this.reader.oldest;
    const end = Math.min(head - keep, oldest + COMPACT_STEP);
    if (end - oldest < Math.min(Math.max(1, keep / 10), COMPACT_STEP)) return false;
    this.#writing.exec('BEGIN IMMEDIATE');
    try {
      this.#writing.run('DELETE FROM commits WHERE revision <= ?', end);
      this.#writing.run('DELETE FROM changes WHERE revision <= ?', end);
      this.setMeta('oldest', String(end));
      this.#writing.exec('COMMIT');
    } catch (error) {
      this.#writing.rollback();
      throw error;
    }
    return end < head - keep;
  }

  /**
   * Runs the commit of a transaction with so many changes. Of a large one, what need not be done by the commit itself is
   * done beside others: what it has written so far reaches the disk before it, and its place in the file after it.
   */
  async commit(changes: number, commit: () => void): Promise<void> {
    if (changes < LARGE) return commit();
    if (this.#durable) await onDisk(`${this.#path}-wal`);
    this.#writing.exec('PRAGMA wal_autocheckpoint = 0');
    try {
      commit();
    } finally {
      void this.#settle();
    }
  }

  /** What it leaves undone, the next commits do. */
  async #settle(): Promise<void> {
    try {
      this.#writing.exec('PRAGMA shrink_memory');
      await checkpoint({ path: this.#path, durable: this.#durable });
      if (!this.#closed) this.#writing.exec(`PRAGMA wal_autocheckpoint = ${AUTO_CHECKPOINT}`);
    } catch {
      // A full disk, most likely: the next write says so.
    }
  }

  /** Brings the index of plugins' entities to what the plugins say now. While it runs, nothing else may write. */
  async syncKinds(): Promise<void> {
    const stale = staleKinds(JSON.parse(this.meta(PLUGIN_KINDS) ?? '{}') as IndexTexts);
    if (stale.length === 0) return;
    this.#writing.exec('BEGIN IMMEDIATE');
    try {
      for (const kind of stale) await new Slices().run(indexingAnew(this.#rows, kind));
      this.setMeta(PLUGIN_KINDS, JSON.stringify(indexTexts()));
      this.#writing.exec('COMMIT');
    } catch (error) {
      this.#writing.rollback();
      throw error;
    }
  }

  /** Entities of plugins that this node does not have, by kind. */
  kept(): ReadonlyMap<string, number> {
    return keptKinds(this.#rows);
  }

  /** Steps for `inTransaction`. */
  resealing(done: Resealed): Generator<void> {
    return resealing(this.#rows, this.codec, done);
  }

  /** Steps that only read. */
  countingSeals(counts: Parameters<typeof countingSeals>[2]): Generator<void> {
    return countingSeals(new Rows(this.#reading, this.codec), this.codec, counts);
  }

  /**
   * False: something is sealed by a key that is not there. The keys that were there are noted, so that this costs nothing
   * while they still are.
   */
  readable(): boolean {
    const { keyIds } = this.codec;
    const noted = (this.meta(SEAL_KEYS) ?? '').split(',').filter((id) => id !== '');
    const missing = noted.filter((id) => !keyIds.includes(id));
    if (missing.length > 0) {
      const counts = { entities: {}, log: {} };
      for (const _ of this.countingSeals(counts));
      if (missing.some((id) => id in counts.entities || id in counts.log)) return false;
    }
    if (missing.length > 0 || noted.length < keyIds.length) this.setMeta(SEAL_KEYS, keyIds.join(','));
    return true;
  }

  /** Nothing is sealed by another key any more. */
  onlyKey(id: string): void {
    this.setMeta(SEAL_KEYS, id);
  }

  /** Writes that are no commit: they change nothing that readers see. */
  inTransaction<T>(work: () => T): T {
    this.#writing.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.#writing.exec('COMMIT');
      return result;
    } catch (error) {
      this.#writing.exec('ROLLBACK');
      throw error;
    }
  }

  /** Writes the file anew, so that nothing is left of what was deleted. It takes its time. */
  vacuum(): void {
    this.#writing.exec('VACUUM');
  }

  /** Brings the write-ahead log into the file and empties it. False: somebody still reads from it. */
  emptyLog(): boolean {
    const checkpoint = 'PRAGMA wal_checkpoint(TRUNCATE)';
    return this.#writing.withoutWaiting(() => this.#writing.get(checkpoint)?.['busy'] === 0);
  }

  close(): void {
    this.#closed = true;
    this.#reading.close();
    this.#writing.close();
  }
}

/** Waits for the disk without holding up others. What it refuses, the commit says. */
async function onDisk(path: string): Promise<void> {
  try {
    const { open } = await import('node:fs/promises');
    await using file = await open(path, 'r');
    await file.datasync();
  } catch {
    // The commit waits for all of it, then.
  }
}

/** Removes a catalog's file with its companions. */
export function removeCatalog(path: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
}
