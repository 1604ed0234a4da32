/**
 * A bounded pool of connections in the shape that kysely takes. Ours rather than the driver's, whose connections go
 * back into use after a time-out with a statement still running on them.
 *
 * A connection that failed leaves the pool, and takes the idle ones with it: whatever cut one off has most likely cut
 * off all, and each would cost a time-out of its own to find out.
 */
import type { PostgresPool, PostgresPoolClient } from 'kysely';
import type { QueryResultRow } from 'pg';
import { StoreUnavailable } from '../errors.ts';
import { isConnectionFailure } from './failure.ts';
import type { PoolOptions } from './options.ts';
import { Session } from './session.ts';

export interface PoolEvents {
  /** The server answered, be it with an error of SQL. */
  onAnswer(): void;
  /** A connection could not be made, or broke. */
  onFailure(error: unknown): void;
}

interface Waiter {
  go(): void;
  fail(error: Error): void;
}

export class Pool implements PostgresPool {
  /** Kysely would use these to make connections of its own, for cancelling. */
  readonly options = {};
  readonly #settings: PoolOptions;
  readonly #events: PoolEvents;
  readonly #sessions = new Set<Session>();
  readonly #idle = new Map<Session, NodeJS.Timeout>();
  /** How to give back what is in use. */
  readonly #leases = new Map<Session, () => void>();
  readonly #waiting: Waiter[] = [];
  /** Connections in use, or being made for a use. */
  #busy = 0;
  #ended = false;

  constructor(settings: PoolOptions, events: PoolEvents) {
    this.#settings = settings;
    this.#events = events;
  }

  /** @throws StoreUnavailable when none is free in time, or what connecting throws. */
  async connect(): Promise<PostgresPoolClient> {
    if (this.#ended) throw closed();
    // A place that somebody leaves is handed on without being free in between.
    if (this.#busy < this.#settings.size) this.#busy++;
    else await this.#wait();
    try {
      return this.#lease(this.#takeIdle() ?? (await this.#open()));
    } catch (error) {
      this.#leave();
      throw error;
    }
  }

  /** Cuts off whatever is in use. */
  end(): Promise<void> {
    this.#ended = true;
    for (const waiter of this.#waiting.splice(0)) waiter.fail(closed());
    this.#dropIdle();
    for (const session of this.#sessions) session.destroy();
    return Promise.resolve();
  }

  #wait(): Promise<void> {
    const { backlog, waitTimeout, size } = this.#settings;
    if (this.#waiting.length >= backlog) {
      throw new StoreUnavailable(`the database: ${size} connections are in use and ${backlog} wait for one`);
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = { go: resolve, fail: reject };
    const timer = setTimeout(() => {
      this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
      reject(new StoreUnavailable(`the database: no connection was free within ${waitTimeout} ms`));
    }, waitTimeout);
    this.#waiting.push(waiter);
    return promise.finally(() => clearTimeout(timer));
  }

  /** Its place goes to the one that waits longest. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#busy--;
    else next.go();
  }

  #takeIdle(): Session | null {
    const last = [...this.#idle].at(-1);
    if (last === undefined) return null;
    const [session, timer] = last;
    clearTimeout(timer);
    this.#idle.delete(session);
    return session;
  }

  async #open(): Promise<Session> {
    try {
      const session = await Session.open(this.#settings.server, { onEnd: (ended) => this.#forget(ended) });
      if (this.#ended) {
        session.destroy();
        throw closed();
      }
      this.#sessions.add(session);
      return session;
    } catch (error) {
      this.#events.onFailure(error);
      throw error;
    }
  }

  /** One in use is given back, too: its user may never come to notice that it ended. */
  #forget(session: Session): void {
    this.#sessions.delete(session);
    this.#leases.get(session)?.();
    clearTimeout(this.#idle.get(session));
    this.#idle.delete(session);
  }

  #lease(session: Session): PostgresPoolClient {
    let held = true;
    const query = async (text: string, parameters: readonly unknown[]): Promise<unknown> => {
      if (!held) throw new Error('the connection is gone');
      try {
        const result = await session.query<QueryResultRow>(text, parameters);
        this.#events.onAnswer();
        return result;
      } catch (error) {
        if (isConnectionFailure(error)) this.#broken(error);
        else this.#events.onAnswer();
        throw error;
      }
    };
    const release = (destroy = false): void => {
      if (!held) return;
      held = false;
      this.#leases.delete(session);
      if (destroy) session.destroy();
      if (session.usable) this.#keep(session);
      this.#leave();
    };
    this.#leases.set(session, release);
    // Kysely's type has a second form of query, for cursors, that is called only when a cursor class is given.
    return { query: query as PostgresPoolClient['query'], release };
  }

  #keep(session: Session): void {
    if (this.#ended) return session.close();
    const timer = setTimeout(() => session.close(), this.#settings.idleTimeout);
    timer.unref();
    this.#idle.set(session, timer);
  }

  #broken(error: unknown): void {
    this.#dropIdle();
    this.#events.onFailure(error);
  }

  #dropIdle(): void {
    for (const session of this.#idle.keys()) session.close();
  }
}

function closed(): StoreUnavailable {
  return new StoreUnavailable('the database: closed');
}
