/** The connections to Redis of a worker: one for each target, from the first plugin that names it to the last. */
import { createHash } from 'node:crypto';
import {
  type Redis,
  RedisError,
  type RedisReply,
  type RedisScript,
  type RedisTarget,
} from '../../kit/redis.ts';
import { type ConnectionOptions, RedisConnection } from './connection.ts';

interface Held {
  readonly connection: RedisConnection;
  holders: number;
}

export class RedisPool {
  readonly #options: ConnectionOptions;
  readonly #held = new Map<string, Held>();

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  hold(target: RedisTarget): { readonly redis: Redis; readonly release: () => void } {
    const { host, port, username, password, database, timeout, ssl, ssl_verify, server_name } = target;
    const entrance = [host, port, username, password, database, timeout];
    const key = JSON.stringify([entrance, ssl, ssl_verify, server_name]);
    let held = this.#held.get(key);
    if (held === undefined) {
      held = { connection: new RedisConnection(target, this.#options), holders: 0 };
      this.#held.set(key, held);
    }
    const mine = held;
    mine.holders++;
    const release = (): void => {
      if (--mine.holders > 0) return;
      this.#held.delete(key);
      mine.connection.close();
    };
    return { redis: new ConnectedRedis(mine.connection), release };
  }

  close(): void {
    for (const { connection } of this.#held.values()) connection.close();
    this.#held.clear();
  }
}

const digests = new WeakMap<RedisScript, string>();

class ConnectedRedis implements Redis {
  readonly #connection: RedisConnection;

  constructor(connection: RedisConnection) {
    this.#connection = connection;
  }

  async get(key: string): Promise<string | null> {
    return (await this.#connection.send(['GET', key])) as string | null;
  }

  async set(
    key: string,
    value: string,
    { ttlMs, only }: { readonly ttlMs?: number; readonly only?: 'new' | 'existing' } = {},
  ): Promise<boolean> {
    const command = ['SET', key, value];
    if (ttlMs !== undefined) command.push('PX', String(Math.max(1, Math.ceil(ttlMs))));
    if (only !== undefined) command.push(only === 'new' ? 'NX' : 'XX');
    return (await this.#connection.send(command)) !== null;
  }

  async delete(key: string): Promise<boolean> {
    return (await this.#connection.send(['DEL', key])) === 1;
  }

  async run(
    script: RedisScript,
    keys: readonly string[],
    args: ReadonlyArray<string | number>,
  ): Promise<RedisReply> {
    let digest = digests.get(script);
    if (digest === undefined) {
      digest = createHash('sha1').update(script.source).digest('hex');
      digests.set(script, digest);
    }
    const rest = [String(keys.length), ...keys, ...args.map(String)];
    try {
      return (await this.#connection.send(['EVALSHA', digest, ...rest])) as RedisReply;
    } catch (error) {
      // A server that has just been started knows none.
      if (!(error instanceof RedisError) || !error.message.includes('NOSCRIPT')) throw error;
      return (await this.#connection.send(['EVAL', script.source, ...rest])) as RedisReply;
    }
  }
}
