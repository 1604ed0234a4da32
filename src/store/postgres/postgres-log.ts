/**
 * The shared log in Postgres.
 *
 * Commits, and all that must be the latest, go to the database itself. A read replica, where there is one, serves what
 * is large (the state, the log), as long as it is not behind what this node knows; else the database is asked, too.
 *
 * The log keeps its last commits. What is older is deleted after an append, in steps of bounded size that no commit
 * waits for.
 */
import { sql } from 'kysely';
import type { EntityCodec } from '../catalog/codec.ts';
import type { Resealed, SealCounts } from '../catalog/reseal.ts';
import type { SharedLog, NewCommit, SharedState, StoredCommit } from '../shared-log.ts';
import { UncertainCommit } from '../shared-log.ts';
import { StoreUnavailable } from '../errors.ts';
import { append, type Appended, type Timing } from './append.ts';
import { compact } from './compact.ts';
import { reasonOf, unavailable } from './failure.ts';
import { Listener } from './listener.ts';
import { checkSchema, SchemaProblem } from './migrations/migrate.ts';
import type { PostgresOptions } from './options.ts';
import { findCommit, readLog, readMoment, readState } from './reading.ts';
import { countDatabaseSeals, resealDatabase } from './reseal.ts';
import { channelOf, openHandle, type Handle } from './tables.ts';
import { Watcher, type WatchListener } from './watcher.ts';

/** Milliseconds for which a replica that failed is left alone: each try may cost a time-out. */
const REPLICA_REST = 30_000;
export interface RecordSource {
  readonly handle: Handle;
  readonly timing: Timing;
}

export interface RecordSourceListener {
  onRecords(payload: string): void;
  /** Whether notifications arrive. */
  onWorking(works: boolean): void;
}

export class PostgresLog implements SharedLog {
  clusterId = '';
  readonly #options: PostgresOptions;
  readonly #primary: Handle;
  readonly #replica: Handle | null;
  readonly #watcher: Watcher;
  readonly #timing: Timing;
  #listener: Listener | null = null;
  /** The highest revision that the database itself has told. */
  #known = 0;
  /** Not before this moment is the replica asked again; it failed. */
  #replicaFrom = 0;
  #compacting: Promise<void> | null = null;
  #closed = false;
  #working = false;
  readonly #toldOf = new Set<RecordSourceListener>();

  private constructor(options: PostgresOptions) {
    this.#options = options;
    const { server, waitTimeout } = options.primary;
    this.#timing = { statement: server.timeout, patience: waitTimeout };
    this.#watcher = new Watcher(() => this.head(), options.pace);
    this.#primary = openHandle(options.primary, {
      onAnswer: () => this.#watcher.answered(),
      onFailure: (error) => this.#watcher.failed(reasonOf(error)),
    });
    // Whether the replica is there is nobody's concern: the database stands in for it.
    const silent = { onAnswer: () => undefined, onFailure: () => undefined };
    this.#replica = options.replica === null ? null : openHandle(options.replica, silent);
  }

  /** @throws StoreUnavailable, SchemaProblem */
  static async open(options: PostgresOptions): Promise<PostgresLog> {
    const log = new PostgresLog(options);
    try {
      await checkSchema(log.#primary);
      const { revision, clusterId } = await readMoment(log.#primary.db);
      log.clusterId = clusterId;
      log.#known = revision;
      return log;
    } catch (error) {
      await log.close();
      throw error instanceof SchemaProblem ? error : unavailable(error);
    }
  }

  async head(): Promise<number> {
    return this.#certain(async () => {
      const { revision, clusterId } = await readMoment(this.#primary.db);
      if (clusterId !== this.clusterId) {
        throw new StoreUnavailable(
          `the database is another one: cluster ${clusterId}, not ${this.clusterId}`,
        );
      }
      this.#known = revision;
      return revision;
    });
  }

  async append(commit: NewCommit): Promise<Appended> {
    const result = await append(this.#primary, commit, this.#timing);
    this.#known = Math.max(this.#known, result.head);
    if (result.appended) this.#compact(result.head);
    return result;
  }

  find(uuid: string): Promise<number | null> {
    return this.#certain(() => findCommit(this.#primary.db, uuid, this.#timing));
  }

  async read(after: number, limit: number): Promise<readonly StoredCommit[] | null> {
    if (after < this.#known) {
      const part = await this.#fromReplica((replica) => readLog(replica, after, limit, this.#timing));
      if (part !== null && part.head > after && part.commits !== null) return part.commits;
    }
    return this.#certain(async () => {
      const { head, commits } = await readLog(this.#primary, after, limit, this.#timing);
      this.#known = Math.max(this.#known, head);
      return commits;
    });
  }

  async state(): Promise<SharedState> {
    const state = await this.#fromReplica((replica) => readState(replica, this.#timing));
    if (state !== null && state.clusterId === this.clusterId && state.revision >= this.#known) return state;
    await state?.cancel();
    return this.#certain(() => readState(this.#primary, this.#timing));
  }

  watch(listener: WatchListener): Disposable {
    const { pace, listen, primary } = this.#options;
    const channel = channelOf(primary.schema);
    if (!this.#closed) {
      this.#listener ??= new Listener({
        server: listen,
        channel,
        pace,
        notify: async (payload) => {
          await sql`select pg_notify(${channel}, ${payload})`.execute(this.#primary.db);
        },
        onRevision: (revision) => this.#watcher.saw(revision),
        onRecords: (payload) => this.#toldOf.forEach((listener) => listener.onRecords(payload)),
        onWorking: (works) => {
          this.#watcher.notified = works;
          this.#working = works;
          for (const listener of this.#toldOf) listener.onWorking(works);
        },
      });
    }
    return this.#watcher.add(listener);
  }

  /** What records need: they lie in the same database, and the same LISTEN tells of them. */
  recordSource(listener: RecordSourceListener): RecordSource {
    this.#toldOf.add(listener);
    listener.onWorking(this.#working);
    return { handle: this.#primary, timing: this.#timing };
  }

  reseal(codec: EntityCodec): Promise<Resealed> {
    return this.#certain(() => resealDatabase(this.#primary, codec, this.#timing));
  }

  sealCounts(codec: EntityCodec): Promise<SealCounts> {
    return this.#certain(() => countDatabaseSeals(this.#primary, codec));
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#watcher.close();
    this.#listener?.close();
    await Promise.all([this.#primary.pool.end(), this.#replica?.pool.end()]);
    await this.#compacting;
  }

  #compact(head: number): void {
    if (this.#compacting !== null) return;
    this.#compacting = compact(this.#primary, head - this.#options.keepCommits)
      // The next append tries again.
      .catch(() => undefined)
      .finally(() => {
        this.#compacting = null;
      });
  }

  async #fromReplica<T>(work: (replica: Handle) => Promise<T>): Promise<T | null> {
    if (this.#replica === null || performance.now() < this.#replicaFrom) return null;
    try {
      return await work(this.#replica);
    } catch {
      this.#replicaFrom = performance.now() + REPLICA_REST;
      return null;
    }
  }

  /** For what changes nothing: it either answers or does not. */
  async #certain<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw error instanceof UncertainCommit ? error : unavailable(error);
    }
  }
}
