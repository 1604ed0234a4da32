/**
 * One connection to the database, with a limit on how long anything may take. A server that does not answer in time
 * is given up together with its connection: over a cut network, nothing else would ever end it.
 */
import { Socket } from 'node:net';
import { Client, types, type QueryResult, type QueryResultRow } from 'pg';
import { isConnectionFailure } from './failure.ts';
import type { ServerOptions } from './options.ts';

/** The kernel's first probe of an idle connection; Node sends ten, a second apart. */
const KEEPALIVE_MS = 15_000;
/** Oid of `bigint`: revisions and times, all far below 2^53. */
const INT8 = 20;

const TYPES = {
  getTypeParser(oid: number, format?: 'text' | 'binary'): unknown {
    return oid === INT8 ? Number : types.getTypeParser(oid, format);
  },
};

export interface SessionEvents {
  /** Once, when it can no longer be used. */
  onEnd?(session: Session): void;
  onNotification?(payload: string): void;
}

export class Session {
  readonly #client: Client;
  readonly #socket: Socket;
  readonly #timeout: number;
  readonly #events: SessionEvents;
  #usable = true;

  private constructor(options: ServerOptions, events: SessionEvents) {
    this.#socket = new Socket();
    this.#timeout = options.timeout;
    this.#events = events;
    this.#client = new Client({
      host: options.host,
      port: options.port,
      user: options.user,
      // As a function even when there is none: else the driver would look for one in files and the environment.
      password: () => options.password ?? '',
      database: options.database,
      ssl: tlsOptions(options),
      stream: () => this.#socket,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEPALIVE_MS,
      connectionTimeoutMillis: options.timeout,
      application_name: 'sluice',
      types: TYPES,
    });
    this.#client.on('error', () => this.#ended());
    this.#client.on('end', () => this.#ended());
    this.#client.on('notification', ({ payload }) => events.onNotification?.(payload ?? ''));
  }

  static async open(options: ServerOptions, events: SessionEvents = {}): Promise<Session> {
    const session = new Session(options, events);
    try {
      await session.#client.connect();
      return session;
    } catch (error) {
      session.destroy();
      throw isLate(error) ? session.#late(error) : error;
    }
  }

  get usable(): boolean {
    return this.#usable;
  }

  async query<R extends QueryResultRow>(
    text: string,
    parameters: readonly unknown[],
  ): Promise<QueryResult<R>> {
    if (!this.#usable) throw new Error('the connection is gone');
    let late: Error | null = null;
    const timer = setTimeout(() => {
      late = this.#late();
      this.destroy();
    }, this.#timeout);
    try {
      return await this.#client.query<R>(text, [...parameters]);
    } catch (error) {
      if (isConnectionFailure(error)) this.destroy();
      throw late ?? error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** One reason, whether a connection or an answer is what does not come: an outage is told once for each reason. */
  #late(cause?: unknown): Error {
    return new Error(`no answer within ${this.#timeout} ms`, { cause });
  }

  /** Says goodbye, and goes without an answer. */
  close(): void {
    if (!this.#usable) return;
    this.#ended();
    const { connection } = this.#client;
    connection.stream.once('error', () => undefined);
    void this.#client.end().catch(() => undefined);
    setTimeout(() => this.#socket.destroy(), this.#timeout).unref();
  }

  /** Ends it at once; what waits for an answer fails. */
  destroy(): void {
    this.#socket.destroy();
    this.#ended();
  }

  #ended(): void {
    if (!this.#usable) return;
    this.#usable = false;
    this.#events.onEnd?.(this);
  }
}

/** The driver's words for a connection that is not made in time. */
function isLate(error: unknown): boolean {
  return error instanceof Error && error.message === 'timeout expired';
}

function tlsOptions({ tls }: ServerOptions): false | { rejectUnauthorized: boolean; ca?: string[] } {
  if (tls === null) return false;
  return tls.ca === null ? { rejectUnauthorized: false } : { rejectUnauthorized: true, ca: [...tls.ca] };
}
