/**
 * Redis for plugins: a few commands, and Lua where several must be one. Which library speaks, how connections are kept and
 * what happens while there is none is `services/redis/`'s.
 */

/** A server and how to get in: what has the same of all of it shares one connection of the worker. */
export interface RedisTarget {
  readonly host: string;
  readonly port: number;
  readonly username: string | null;
  readonly password: string | null;
  readonly database: number;
  /** Milliseconds for one command, and for making a connection. */
  readonly timeout: number;
  readonly ssl: boolean;
  readonly ssl_verify: boolean;
  /** The name that is asked for and verified; `host` unless said. */
  readonly server_name: string | null;
}

/** Lua that the server runs as one step. The same object is sent as a whole only when the server does not know it. */
export interface RedisScript {
  readonly source: string;
}

export type RedisReply = string | number | null | readonly RedisReply[];

/**
 * Every call rejects with `RedisError` within the target's `timeout`, whatever the server does; while the server is known
 * to be away, at once. Keys of all plugins lie beside each other: begin them with the plugin's name.
 */
export interface Redis {
  get(key: string): Promise<string | null>;
  /** @returns false: it was to be set only where there is none, or only where there is one. */
  set(
    key: string,
    value: string,
    options?: { readonly ttlMs?: number; readonly only?: 'new' | 'existing' },
  ): Promise<boolean>;
  /** Whether there was one: true for one caller. */
  delete(key: string): Promise<boolean>;
  run(
    script: RedisScript,
    keys: readonly string[],
    args: ReadonlyArray<string | number>,
  ): Promise<RedisReply>;
}

export type RedisFailure =
  /** There is no connection, or it broke off. */
  | 'away'
  | 'timeout'
  /** Too many commands wait for it already. */
  | 'busy'
  /** The server's own error. */
  | 'refused';

export class RedisError extends Error {
  override readonly name = 'RedisError';
  readonly code: RedisFailure;

  constructor(code: RedisFailure, server: string, cause: unknown) {
    super(`redis ${server}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.code = code;
  }
}
