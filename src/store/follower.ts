/**
 * A catalog that follows a shared log: the place of this node's commits in it, and the commits of the other nodes.
 *
 * The catalog is the last good configuration of this node. With the database away, a node that has one starts from it;
 * it catches up by itself when the database is back. While a node serves it never goes back to an older state: a
 * database that was restored from a backup is taken over by a restart, not under the feet of requests.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { LogLevel } from '../settings/settings.ts';
import type { Catalog } from './catalog/catalog.ts';
import type { CatalogStore, Sequencer } from './catalog-store.ts';
import { StoreUnavailable } from './errors.ts';
import { UncertainCommit, type NewCommit, type SharedLog, type StoredCommit } from './shared-log.ts';
import { Slices } from './slices.ts';

export interface FollowerOptions {
  readonly catalog: Catalog;
  /** @throws StoreUnavailable, or what will not change by itself. */
  readonly connect: () => Promise<SharedLog>;
  /** Commits that the catalog's log keeps. */
  readonly retention: number;
  readonly log: (level: LogLevel, message: string) => void;
}

/** Whether the database can be reached. */
export interface Reach {
  readonly reachable: boolean;
  /** Why not. */
  readonly reason: string | null;
  /** Milliseconds since 1970: since when it is so. */
  readonly since: number;
}

/** Commits that are read at once. */
const READ = 100;
/** Milliseconds between two tries: doubled from the first to the last. */
const RETRY_FIRST = 200;
const RETRY_LAST = 5000;
/** Reasons that the log gets while the database is away. */
const MAX_REASONS = 8;
/** Milliseconds that a commit waits to learn whether it happened. */
const UNCERTAIN = 15_000;

export class Follower implements Sequencer {
  readonly #options: FollowerOptions;
  #store: CatalogStore | null = null;
  #log: SharedLog | null = null;
  #reach: Reach = { reachable: true, reason: null, since: Date.now() };
  /** The catalog is compared with the log first: it may have followed another one, or one that was set back. */
  #unproven = true;
  #behind = false;
  #serving = false;
  #closed = false;
  #complaint = '';
  /** Why the database is away, as far as the log has it. */
  readonly #reasons = new Set<string>();
  #wake: (() => void) | null = null;

  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  get reach(): Reach {
    return this.#reach;
  }

  /**
   * Brings the catalog to the newest revision, or starts from what it has.
   * @throws StoreUnavailable when the database is away and there is no copy, or what makes it useless
   */
  async start(store: CatalogStore): Promise<void> {
    this.#store = store;
    try {
      await this.#connect();
      await store.exclusive(() => this.catchUp());
    } catch (error) {
      const copied = this.#options.catalog.meta('cluster') !== null;
      if (!(error instanceof StoreUnavailable && copied)) {
        await this.close();
        throw error;
      }
      this.#behind = true;
      this.#reached(false, error.message);
      this.#options.log(
        'warn',
        `starting from this node's copy of the configuration, revision ${store.revision}`,
      );
    }
    this.#serving = true;
    void this.#run(store);
  }

  async append(commit: NewCommit): Promise<boolean> {
    const log = this.#connected();
    try {
      return (await log.append(commit)).appended;
    } catch (error) {
      if (!(error instanceof UncertainCommit)) throw error;
      return await this.#settle(log, commit);
    }
  }

  /** To be called while no transaction is open, and none can begin. */
  async catchUp(): Promise<void> {
    const { catalog } = this.#options;
    const log = this.#connected();
    if (this.#unproven && !(await this.#sameBranch(log))) await this.#reload(log);
    this.#unproven = false;
    for (;;) {
      const commits = await log.read(catalog.reader.revision, READ);
      if (commits === null) await this.#reload(log);
      else if (commits.length === 0) return;
      else for (const commit of commits) await this.#apply(commit);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wake?.();
    await this.#log?.close();
  }

  #connected(): SharedLog {
    if (this.#log !== null) return this.#log;
    throw new StoreUnavailable(this.#reach.reason ?? 'the database was not reached yet');
  }

  async #connect(): Promise<void> {
    const log = await this.#options.connect();
    if (this.#closed) return await log.close();
    this.#log = log;
    this.#unproven = true;
    log.watch({
      onHead: (revision) => {
        if (revision !== this.#options.catalog.reader.revision) this.#follow();
      },
      onTrouble: (reason) => this.#complain(reason),
      onReachable: (reachable, reason) => {
        this.#reached(reachable, reason);
        if (!reachable) return;
        this.#unproven = true;
        this.#follow();
      },
    });
  }

  #follow(): void {
    this.#behind = true;
    this.#wake?.();
  }

  /** Did the connection break before or after the commit happened? */
  async #settle(log: SharedLog, commit: NewCommit): Promise<boolean> {
    const limit = performance.now() + UNCERTAIN;
    for (;;) {
      try {
        return (await log.find(commit.uuid)) !== null;
      } catch (error) {
        if (performance.now() < limit && !this.#closed) {
          await delay(RETRY_FIRST);
          continue;
        }
        this.#follow();
        const reason = 'the database went away during the commit: it shows later whether it happened';
        throw new StoreUnavailable(reason, { cause: error });
      }
    }
  }

  /** Whether the last commit of the catalog is the log's, too, and it can be read with the keys that are there. */
  async #sameBranch(log: SharedLog): Promise<boolean> {
    const { catalog } = this.#options;
    const cluster = catalog.meta('cluster');
    const { revision } = catalog.reader;
    if (cluster === null && revision === 0) catalog.setMeta('cluster', log.clusterId);
    else if (cluster !== log.clusterId) return false;
    if (!catalog.readable()) {
      this.#options.log('warn', "this node's copy of the configuration is sealed by a key that is not there");
      return false;
    }
    const uuid = catalog.reader.uuidOf(revision);
    return uuid === null || (await log.find(uuid)) === revision;
  }

  /** In place of a catalog that has fallen too far behind, or that is of something else. */
  async #reload(log: SharedLog): Promise<void> {
    const { catalog } = this.#options;
    const { revision: own } = catalog.reader;
    const head = await log.head();
    if (this.#serving && head <= own) {
      throw new StoreUnavailable(
        `the database is at revision ${head} and has not all of this node's revision ${own}: was it restored? A restart takes it over`,
      );
    }
    const { revision, entities } = await log.state();
    const slices = new Slices();
    const tx = catalog.begin();
    let open = true;
    try {
      tx.clear();
      for await (const batch of entities) await slices.run(tx.loadInSteps(batch));
      catalog.setMeta('cluster', log.clusterId);
      await catalog.commit(Infinity, () => tx.commitState(revision));
      open = false;
    } finally {
      if (open) tx.rollback();
    }
    this.#options.log('notice', `the whole configuration was loaded, revision ${revision}`);
    this.#store?.announce(revision);
  }

  async #apply(commit: StoredCommit): Promise<void> {
    const { catalog, retention } = this.#options;
    const tx = catalog.begin();
    let open = true;
    try {
      if (tx.revision !== commit.revision)
        throw new Error(`revision ${commit.revision} after ${tx.revision - 1}`);
      await new Slices().run(tx.applyStored(commit.changes));
      const changes = tx.finish();
      await catalog.commit(changes, () => tx.commit(commit, changes));
      open = false;
    } finally {
      if (open) tx.rollback();
    }
    this.#store?.announce(commit.revision);
    catalog.compact(retention);
  }

  async #run(store: CatalogStore): Promise<void> {
    let pause = RETRY_FIRST;
    while (!this.#closed) {
      const done = await this.#step(store);
      pause = done ? RETRY_FIRST : Math.min(2 * pause, RETRY_LAST);
      if (!done) await this.#sleep(pause);
      else if (!this.#behind) await this.#sleep(null);
    }
  }

  /** Answers whether all that was to be done is done. */
  async #step(store: CatalogStore): Promise<boolean> {
    try {
      if (this.#log === null) {
        await this.#connect();
        this.#reached(true, null);
      }
      if (!this.#behind) return true;
      this.#behind = false;
      await store.exclusive(() => this.catchUp());
      this.#complaint = '';
      return true;
    } catch (error) {
      this.#behind = true;
      this.#complain(error instanceof Error ? error.message : String(error));
      return false;
    }
  }

  #reached(reachable: boolean, reason: string | null): void {
    if (reachable) {
      if (this.#reach.reachable) return;
      this.#reach = { reachable, reason: null, since: Date.now() };
      this.#reasons.clear();
      this.#options.log('notice', 'the database is reachable again');
      return;
    }
    const { reachable: before, since } = this.#reach;
    this.#reach = { reachable, reason, since: before ? Date.now() : since };
    if (this.#reasons.size >= MAX_REASONS || this.#reasons.has(reason ?? '')) return;
    this.#reasons.add(reason ?? '');
    const what = before ? 'is away, the configuration stays as it is' : 'is still away';
    this.#options.log('error', `the database ${what}: ${reason ?? ''}`);
  }

  /** Once for each reason; what makes the database unreachable has been said already. */
  #complain(reason: string): void {
    if (this.#closed || !this.#reach.reachable || reason === this.#complaint) return;
    this.#complaint = reason;
    this.#options.log('error', `the database's commits cannot be followed: ${reason}`);
  }

  #sleep(ms: number | null): Promise<void> {
    if (this.#closed) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = ms === null ? undefined : setTimeout(resolve, ms);
    this.#wake = resolve;
    return promise.finally(() => {
      clearTimeout(timer);
      this.#wake = null;
    });
  }
}
