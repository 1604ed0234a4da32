/**
 * The configuration's store on a catalog: commits one after the other, each in a transaction of its own.
 *
 * With a shared log the transaction waits, open, until the log has taken the commit as the next revision. If another
 * node was faster, it is rolled back, the catalog catches up, and the same writes are applied again to what is there
 * now: independent changes both happen, and one that no longer holds fails as it would have if it had come later.
 */
import { randomUUID } from 'node:crypto';
import type { CheckContext, Values } from '../entities/schema/field.ts';
import type { Catalog } from './catalog/catalog.ts';
import type { CatalogReader } from './catalog/reader.ts';
import { withSlowHash } from './catalog/slow-hashes.ts';
import type { CatalogTransaction } from './catalog/transaction.ts';
import {
  type Author,
  type CommitOptions,
  type Committed,
  type ConfigStore,
  type Revision,
  type Write,
  type WriteResult,
} from './config-store.ts';
import { RevisionConflict, StoreError, StoreUnavailable } from './errors.ts';
import type { NewCommit } from './shared-log.ts';
import { Slices } from './slices.ts';

/** The order of commits among several nodes. */
export interface Sequencer {
  /** Answers false when another commit has that revision. @throws StoreUnavailable */
  append(commit: NewCommit): Promise<boolean>;
  /** Brings the catalog to the newest revision. @throws StoreUnavailable */
  catchUp(): Promise<void>;
}

export interface CatalogStoreOptions {
  readonly catalog: Catalog;
  /** What validation knows of the world, apart from the time. */
  readonly context: () => Omit<CheckContext, 'now'>;
  /** Commits that the log keeps. */
  readonly retention: number;
  readonly sequencer?: Sequencer | null;
  /** Resolves, with warnings, when workers serve the revision; a commit answers then. */
  readonly live?: ((revision: number) => Promise<readonly string[]>) | null;
}

/** Writes that may wait for those before them. */
const MAX_WAITING = 1024;
/** Tries of one commit against other nodes. */
const MAX_TRIES = 100;
const SWEEP = 256;

export class CatalogStore implements ConfigStore {
  readonly writable = true;
  readonly #options: CatalogStoreOptions;
  readonly #listeners = new Set<(revision: Revision) => void>();
  #tail: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(options: CatalogStoreOptions) {
    this.#options = options;
  }

  get reader(): CatalogReader {
    return this.#options.catalog.reader;
  }

  /** What is committed now, to be read at leisure. */
  snapshot(): ReturnType<Catalog['snapshot']> {
    return this.#options.catalog.snapshot();
  }

  get revision(): number {
    return this.reader.revision;
  }

  get oldest(): number {
    return this.reader.oldest;
  }

  async refresh(): Promise<void> {
    // A catalog is always up to date.
  }

  get: ConfigStore['get'] = (kind, select) => this.reader.get(kind, select);
  page: ConfigStore['page'] = (kind, options) => this.reader.page(kind, options);
  newest: ConfigStore['newest'] = (kind, options) => this.reader.newest(kind, options);
  all: ConfigStore['all'] = (kind) => this.reader.all(kind);
  count: ConfigStore['count'] = (kind) => this.reader.count(kind);
  tags: ConfigStore['tags'] = (options) => this.reader.tags(options);
  revisions: ConfigStore['revisions'] = (options) => this.reader.revisions(options);
  describe: ConfigStore['describe'] = (revision) => this.reader.describe(revision);
  changes: ConfigStore['changes'] = (revision, page) => this.reader.changes(revision, page);

  async commit(writes: Iterable<Write> | AsyncIterable<Write>, options: CommitOptions): Promise<Committed> {
    const collect = this.#options.sequencer != null && isReadOnce(writes);
    const again = collect ? await Array.fromAsync(writes) : writes;
    return await this.#whenLive(() =>
      this.#tryUntilTaken(options, (tx) => this.#applyAll(tx, again, options)),
    );
  }

  /** A whole configuration that was validated elsewhere, into an empty store. */
  async seed(
    entities: Iterable<{ readonly kind: string; readonly entity: Values }>,
    author: Author,
  ): Promise<Committed> {
    return await this.exclusive(() =>
      this.#tryUntilTaken({ author, ifRevision: this.revision }, async (tx) => {
        await new Slices().run(tx.insert(entities));
        return [];
      }),
    );
  }

  async restore(revision: number, options: CommitOptions): Promise<Committed> {
    return await this.#whenLive(() =>
      this.#tryUntilTaken(options, async (tx) => {
        if (revision < this.oldest || revision >= tx.revision) {
          throw new RangeError(
            `revision ${revision} is not in the log: it has ${this.oldest} to ${this.revision}`,
          );
        }
        await new Slices().run(tx.applyStored(tx.changesBackTo(revision), options.judge));
        return [];
      }),
    );
  }

  onCommit(listener: (revision: Revision) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Tells listeners of a commit that came another way: from another node. */
  announce(revision: number): void {
    const commit = this.describe(revision) ?? {
      revision,
      time: Date.now(),
      author: { name: null, source: 'store', message: null },
      changes: 0,
    };
    for (const listener of this.#listeners) listener(commit);
  }

  /** One after the other: a catalog has one transaction at a time. @throws StoreUnavailable when too many wait. */
  async exclusive<T>(job: () => Promise<T>): Promise<T> {
    if (this.#waiting >= MAX_WAITING) throw new StoreUnavailable('too many writes are waiting');
    this.#waiting++;
    const result = this.#tail.then(job).finally(() => {
      this.#waiting--;
    });
    this.#tail = result.catch(() => undefined);
    return await result;
  }

  async #whenLive(job: () => Promise<Committed>): Promise<Committed> {
    const { revision: before } = this;
    const committed = await this.exclusive(job);
    if (committed.revision === before || this.#options.live == null) return committed;
    return { ...committed, warnings: await this.#options.live(committed.revision) };
  }

  async #tryUntilTaken(
    options: CommitOptions,
    apply: (tx: CatalogTransaction) => Promise<WriteResult[]>,
  ): Promise<Committed> {
    for (let tries = 1; ; tries++) {
      const { ifRevision } = options;
      const current = this.revision;
      if (ifRevision !== undefined && ifRevision !== current) throw new RevisionConflict(ifRevision, current);
      const committed = await this.#try(options, apply);
      if (committed !== null) return committed;
      if (tries === MAX_TRIES) throw new StoreUnavailable(`other nodes were faster, ${tries} times in a row`);
      await this.#options.sequencer?.catchUp();
    }
  }

  /** Null: another node was faster. */
  async #try(
    { author, dryRun }: CommitOptions,
    apply: (tx: CatalogTransaction) => Promise<WriteResult[]>,
  ): Promise<Committed | null> {
    const { catalog, sequencer, retention } = this.#options;
    const tx = catalog.begin();
    let open = true;
    try {
      const results = await apply(tx);
      const changes = tx.finish();
      if (dryRun === true || changes === 0) return { revision: this.revision, results };
      const commit = { uuid: randomUUID(), time: Date.now(), author };
      if (sequencer != null) {
        const { revision } = tx;
        if (!(await sequencer.append({ ...commit, revision, changes: tx.changes(changes) }))) return null;
      }
      await catalog.commit(changes, () => commitHere(tx, commit, changes, sequencer != null));
      open = false;
      this.announce(tx.revision);
      tidy(catalog, retention);
      return { revision: tx.revision, results };
    } finally {
      if (open) tx.rollback();
    }
  }

  async #applyAll(
    tx: CatalogTransaction,
    writes: Iterable<Write> | AsyncIterable<Write>,
    { discardResults, judge }: CommitOptions,
  ): Promise<WriteResult[]> {
    const now = Date.now() / 1000;
    const writer = tx.writer({ ...this.#options.context(), now }, judge);
    const slices = new Slices();
    for (const { kind, id } of tx.rows.expired(now, SWEEP)) await slices.run(writer.removeExpired(kind, id));
    const results: WriteResult[] = [];
    let index = 0;
    for await (const write of writes) {
      try {
        const ready = withSlowHash(write, tx.rows);
        const steps = writer.apply(ready instanceof Promise ? await ready : ready);
        const result = await slices.run(steps);
        if (discardResults !== true) results.push(result);
      } catch (error) {
        if (error instanceof StoreError) error.index = index;
        throw error;
      }
      index++;
      if (slices.over) await slices.pause();
    }
    return results;
  }
}

/** @param shared the other nodes have it already: what fails here does not undo it. */
function commitHere(
  tx: CatalogTransaction,
  commit: Omit<NewCommit, 'changes' | 'revision'>,
  changes: number,
  shared: boolean,
): void {
  try {
    tx.commit(commit, changes);
  } catch (error) {
    if (!shared) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new StoreUnavailable(
      `it happened, as revision ${tx.revision}, but this node could not write it to its copy: ${reason}`,
      { cause: error },
    );
  }
}

/** Does it have one iterator, that is itself? */
function isReadOnce(writes: Iterable<Write> | AsyncIterable<Write>): boolean {
  const iterator =
    Symbol.asyncIterator in writes ? writes[Symbol.asyncIterator]() : writes[Symbol.iterator]();
  return (iterator as unknown) === writes;
}

/** After a commit, which counts whether or not this can be done: the next one tries again. */
function tidy(catalog: Catalog, retention: number): void {
  try {
    catalog.compact(retention);
  } catch {
    // A full disk, most likely: the next write says so.
  }
}
