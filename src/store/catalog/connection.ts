/**
 * A connection to a catalog's SQLite file, with its statements prepared once.
 *
 * A catalog has two connections: one that writes, and one that reads what is committed meanwhile (write-ahead log).
 * `synchronous = FULL` makes a commit wait for the disk: what was acknowledged survives a power cut. A catalog that is
 * only a copy of something else needs no such care. What is deleted is overwritten: it may have been a secret.
 */
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { diskFailure } from '../disk-failure.ts';

export type Row = Readonly<Record<string, string | number | null>>;

export interface ConnectionOptions {
  /** A commit survives a power cut. */
  readonly durable: boolean;
  /** KiB of pages kept in memory. */
  readonly cacheKib: number;
}

/** Milliseconds to wait for another process that has the file: a command beside the gateway. */
const BUSY_MS = 5000;

export class Connection {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /** All throw DiskFailure, or an Error of SQLite. */
  constructor(path: string, { durable, cacheKib }: ConnectionOptions) {
    this.#path = path;
    this.#database = this.#told(() => new DatabaseSync(path));
    this.exec(
      `PRAGMA busy_timeout = ${BUSY_MS}; PRAGMA journal_mode = WAL; PRAGMA cache_size = -${cacheKib};
       PRAGMA secure_delete = ON;
       PRAGMA synchronous = ${durable ? 'FULL' : 'NORMAL'}`,
    );
  }

  exec(sql: string): void {
    this.#told(() => this.#database.exec(sql));
  }

  /** Ends the transaction, if SQLite has not done so by itself, as after some errors: a full disk. */
  rollback(): void {
    if (this.#database.isTransaction) this.exec('ROLLBACK');
  }

  run(sql: string, ...values: SQLInputValue[]): number {
    return this.#told(() => Number(this.#prepare(sql).run(...values).changes));
  }

  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#told(() => this.#prepare(sql).get(...values)) as Row | undefined;
  }

  all(sql: string, ...values: SQLInputValue[]): readonly Row[] {
    return this.#told(() => this.#prepare(sql).all(...values)) as Row[];
  }

  /** A statement of its own: rows may be taken while others run. */
  *iterate(sql: string, ...values: SQLInputValue[]): IterableIterator<Row> {
    try {
      yield* this.#database.prepare(sql).iterate(...values) as IterableIterator<Row>;
    } catch (error) {
      throw diskFailure(this.#path, error);
    }
  }

  /** Another connection that is in the way fails it at once. */
  withoutWaiting<T>(work: () => T): T {
    this.#database.exec('PRAGMA busy_timeout = 0');
    try {
      return work();
    } finally {
      this.#database.exec(`PRAGMA busy_timeout = ${BUSY_MS}`);
    }
  }

  close(): void {
    this.#statements.clear();
    this.#database.close();
  }

  #told<T>(job: () => T): T {
    try {
      return job();
    } catch (error) {
      throw diskFailure(this.#path, error);
    }
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) this.#statements.set(sql, (statement = this.#database.prepare(sql)));
    return statement;
  }
}
