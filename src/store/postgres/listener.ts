/**
 * `LISTEN` on a connection of its own, kept up for as long as the log is open.
 *
 * Through a pooler in transaction mode `LISTEN` succeeds and nothing ever arrives. So each new connection is tried: a
 * notification that another connection sends must come back. (One that is sent on the same connection proves nothing,
 * since a pooler hands it on.) Where it does not, the connection is closed, and tried again now and then.
 */
import { randomUUID } from 'node:crypto';
import { RECORDS } from './record-rows.ts';
import type { Pace, ServerOptions } from './options.ts';
import { Session } from './session.ts';

const PROBE = 'probe ';
/** Milliseconds before the first new attempt; doubled up to `pace.safety`. */
const FIRST_RETRY = 200;

export interface ListenerOptions {
  readonly server: ServerOptions;
  readonly channel: string;
  readonly pace: Pace;
  /** Sends a notification over another connection. */
  notify(payload: string): Promise<void>;
  onRevision(revision: number): void;
  /** What records say of changes (`record-rows.ts`). */
  onRecords(payload: string): void;
  /** Notifications arrive from now on, or do no longer. */
  onWorking(works: boolean): void;
}

export class Listener {
  readonly #options: ListenerOptions;
  #session: Session | null = null;
  #closed = false;
  #wake: (() => void) | null = null;

  constructor(options: ListenerOptions) {
    this.#options = options;
    void this.#run();
  }

  close(): void {
    this.#closed = true;
    this.#session?.destroy();
    this.#wake?.();
  }

  async #run(): Promise<void> {
    const { pace } = this.#options;
    let retry = FIRST_RETRY;
    while (!this.#closed) {
      const outcome = await this.#once();
      retry = outcome === 'worked' ? FIRST_RETRY : Math.min(retry * 2, pace.safety);
      await this.#sleep(outcome === 'useless' ? pace.relisten : retry);
    }
  }

  /** One connection, from beginning to end. */
  async #once(): Promise<'worked' | 'useless' | 'failed'> {
    const ended = Promise.withResolvers<void>();
    const probed = Promise.withResolvers<boolean>();
    const token = PROBE + randomUUID();
    let worked = false;
    try {
      const session = await Session.open(this.#options.server, {
        onEnd: () => ended.resolve(),
        onNotification: (payload) => {
          if (payload === token) probed.resolve(true);
          else if (payload.startsWith(RECORDS)) this.#options.onRecords(payload.slice(RECORDS.length));
          else if (/^\d+$/.test(payload)) this.#options.onRevision(Number(payload));
        },
      });
      this.#session = session;
      if (this.#closed) session.destroy();
      await session.query(`listen "${this.#options.channel}"`, []);
      worked = await this.#probe(token, probed);
      if (!worked) return 'useless';
      this.#options.onWorking(true);
      await this.#stayAlive(session, ended.promise);
      return 'worked';
    } catch {
      return worked ? 'worked' : 'failed';
    } finally {
      this.#hangUp(worked);
    }
  }

  async #probe(token: string, probed: PromiseWithResolvers<boolean>): Promise<boolean> {
    const timer = setTimeout(() => probed.resolve(false), this.#options.pace.probe);
    try {
      await this.#options.notify(token);
      return await probed.promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** A connection that nothing comes over may have been cut long ago. */
  async #stayAlive(session: Session, ended: Promise<void>): Promise<void> {
    while (session.usable) {
      const timer = this.#sleep(this.#options.pace.safety);
      await Promise.race([timer, ended]);
      this.#wake?.();
      if (session.usable) await session.query('select 1', []);
    }
  }

  #hangUp(worked: boolean): void {
    const session = this.#session;
    this.#session = null;
    if (worked) this.#options.onWorking(false);
    if (session === null) return;
    // Behind a pooler the server's connection lives on.
    if (session.usable && !worked) void session.query('unlisten *', []).catch(() => undefined);
    session.close();
  }

  #sleep(ms: number): Promise<void> {
    if (this.#closed) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    this.#wake = resolve;
    return promise.finally(() => {
      clearTimeout(timer);
      this.#wake = null;
    });
  }
}
