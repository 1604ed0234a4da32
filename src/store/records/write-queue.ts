/**
 * Writes of records in SQLite. Those that come in one turn of the event loop share a transaction, and so one wait for
 * the disk. None of them fails alone: what a write refuses is an answer, found before it writes anything.
 */
import type { Connection } from '../catalog/connection.ts';
import { StoreUnavailable } from '../errors.ts';

/** Writes that may wait for the next turn. */
const MAX_WAITING = 10_000;

interface Job {
  /** Answers how to tell its caller. */
  readonly run: () => () => void;
  readonly reject: (error: Error) => void;
}

export interface WriteQueueEvents {
  /** At the end of each transaction, within it. */
  onEnd(): void;
  /** Before those who wrote hear of it. */
  onCommitted(): void;
  onFailed(): void;
}

export class WriteQueue {
  readonly #connection: Connection;
  readonly #events: WriteQueueEvents;
  #jobs: Job[] = [];
  #held = false;
  #closed = false;

  constructor(connection: Connection, events: WriteQueueEvents) {
    this.#connection = connection;
    this.#events = events;
  }

  /** @throws StoreUnavailable */
  add<T>(work: () => T): Promise<T> {
    if (this.#closed) return Promise.reject(new StoreUnavailable('the records are closed'));
    if (this.#jobs.length >= MAX_WAITING) {
      return Promise.reject(new StoreUnavailable('too many writes of records are waiting'));
    }
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const run = (): (() => void) => {
      const result = work();
      return () => resolve(result);
    };
    if (this.#jobs.push({ run, reject }) === 1) setImmediate(() => this.#flush());
    return promise;
  }

  /** Runs what must not be disturbed by writes; those that come meanwhile wait. One at a time. */
  async without<T>(work: () => Promise<T>): Promise<T> {
    if (this.#held || this.#closed) throw new StoreUnavailable('the records are closed, or held already');
    this.#held = true;
    try {
      return await work();
    } finally {
      this.#held = false;
      if (!this.#closed) this.#flush();
    }
  }

  /** What waits still happens, unless somebody has held it up. */
  close(): void {
    if (this.#held) {
      for (const { reject } of this.#jobs) reject(new StoreUnavailable('the records are closed'));
      this.#jobs = [];
    }
    this.#flush();
    this.#closed = true;
  }

  #flush(): void {
    if (this.#held) return;
    const jobs = this.#jobs;
    if (jobs.length === 0) return;
    this.#jobs = [];
    let answers: Array<() => void>;
    try {
      answers = this.#transaction(jobs);
    } catch (error) {
      this.#events.onFailed();
      for (const { reject } of jobs) reject(unavailable(error));
      return;
    }
    this.#events.onCommitted();
    for (const answer of answers) answer();
  }

  #transaction(jobs: readonly Job[]): Array<() => void> {
    this.#connection.exec('BEGIN IMMEDIATE');
    try {
      const answers = jobs.map(({ run }) => run());
      this.#events.onEnd();
      this.#connection.exec('COMMIT');
      return answers;
    } catch (error) {
      this.#connection.rollback();
      throw error;
    }
  }
}

/** Whatever SQLite says. */
export function unavailable(error: unknown): StoreUnavailable {
  return new StoreUnavailable(`the records: ${error instanceof Error ? error.message : String(error)}`, {
    cause: error,
  });
}
