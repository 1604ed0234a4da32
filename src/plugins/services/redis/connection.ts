/**
 * One connection to one Redis, kept for all plugins of the worker that name it. Commands of all requests go down it one
 * behind the other (Redis answers in that order), so that a worker costs the server one connection.
 *
 * - The library (`@redis/client`) is loaded when the first command comes. It frames commands; connecting, time-outs and
 *   back-off are here, since its own leave a command without an end whose reply does not come.
 * - A command has `timeout` for everything. One that gets no reply in time ends the connection: what is behind it in the
 *   order would wait as well. Nothing is sent twice: what was under way when a connection ended may have been done.
 * - A connection that ends is made anew at once. When that fails, commands are refused without waiting until an attempt
 *   beside the traffic succeeds: after 100 ms, doubled up to 5 s.
 * - A server that says it is a replica was the primary once: its name (or the address in front of it) may lead to another one
 *   by now, so the connection is made anew, at most every 5 s.
 */
import type { Resolver } from '../../../balancer/resolver/resolver.ts';
import { RedisError, type RedisTarget } from '../../kit/redis.ts';
import type { PluginLog } from '../../kit/services.ts';
import { openClient, type RawClient } from './client.ts';

/** Commands that wait for their reply at once. */
const MAX_WAITING = 4096;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5000;

export interface ConnectionOptions {
  readonly resolver: Pick<Resolver, 'peek' | 'resolve'>;
  /** Makes the gateway's authorities those of TLS. */
  readonly trust: () => void;
  readonly log: Pick<PluginLog, 'error' | 'notice'>;
}

export class RedisConnection {
  readonly target: RedisTarget;
  readonly server: string;
  readonly #options: ConnectionOptions;
  #client: RawClient | null = null;
  #connecting: Promise<RawClient> | null = null;
  #waiting = 0;
  #failures = 0;
  /** Why there is no connection; null: there is one, or none was tried. */
  #problem: RedisError | null = null;
  #retry: NodeJS.Timeout | null = null;
  /** When a connection was last given up since its server is a replica. */
  #demotedAt = -Infinity;
  #closed = false;

  constructor(target: RedisTarget, options: ConnectionOptions) {
    this.target = target;
    this.server = `${target.host}:${target.port}`;
    this.#options = options;
  }

  /** @throws RedisError (rejection) */
  async send(command: readonly string[]): Promise<unknown> {
    if (this.#closed) throw new RedisError('away', this.server, 'the connection is closed');
    if (this.#client === null && this.#problem !== null) throw this.#problem;
    if (this.#waiting >= MAX_WAITING) throw new RedisError('busy', this.server, 'too many commands wait');
    this.#waiting++;
    const { timeout } = this.target;
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      const error = new RedisError('timeout', this.server, `no reply in ${timeout} ms`);
      // First the command that was late, then those behind it.
      late.reject(error);
      this.#lose(this.#client, error);
    }, timeout);
    try {
      return await Promise.race([this.#exchange(command), late.promise]);
    } finally {
      clearTimeout(timer);
      this.#waiting--;
    }
  }

  close(): void {
    this.#closed = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#client?.destroy();
    this.#client = null;
  }

  async #exchange(command: readonly string[]): Promise<unknown> {
    const client = this.#client ?? (await this.#connect());
    try {
      return await client.sendCommand(command);
    } catch (error) {
      if (!client.isErrorReply(error)) throw new RedisError('away', this.server, error);
      const refusal = new RedisError('refused', this.server, error);
      if (error instanceof Error && error.message.includes('READONLY')) this.#leaveReplica(client, refusal);
      throw refusal;
    }
  }

  #leaveReplica(client: RawClient, error: RedisError): void {
    const now = performance.now();
    if (now - this.#demotedAt < LONGEST_PAUSE_MS) return;
    this.#demotedAt = now;
    this.#lose(client, error);
  }

  #connect(): Promise<RawClient> {
    return (this.#connecting ??= this.#open().finally(() => (this.#connecting = null)));
  }

  async #open(): Promise<RawClient> {
    let opened: RawClient | null = null;
    try {
      const client = await openClient(this.target, this.#options);
      opened = client;
      client.onEnd = (error) => this.#lose(client, error);
      if (this.#closed) throw new Error('the connection is closed');
      if (client.ended) throw new Error('the connection ended');
      if (this.#problem !== null) this.#options.log.notice(`redis ${this.server}: there again`);
      this.#client = client;
      this.#problem = null;
      this.#failures = 0;
      return client;
    } catch (error) {
      opened?.destroy();
      throw this.#down(error);
    }
  }

  /** No connection could be made. */
  #down(error: unknown): RedisError {
    const problem = error instanceof RedisError ? error : new RedisError('away', this.server, error);
    if (this.#closed) return problem;
    if (this.#problem?.message !== problem.message) this.#options.log.error(problem.message);
    this.#problem = problem;
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#failures++);
    this.#retry = setTimeout(() => void this.#connect().catch(() => undefined), pause);
    this.#retry.unref();
    return problem;
  }

  /** A connection has ended, or is not worth keeping. */
  #lose(client: RawClient | null, error: unknown): void {
    if (client === null || this.#client !== client) return;
    this.#client = null;
    client.destroy();
    if (this.#closed) return;
    const text = error instanceof Error ? error.message : String(error);
    this.#options.log.error(`redis ${this.server}: the connection is lost: ${text}`);
    this.#connect().catch(() => undefined);
  }
}
