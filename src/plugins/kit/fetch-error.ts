/** Why there is no answer to a `fetch` of a plugin. The message names the origin, never a path, which may hold secrets. */

export type FetchFailure =
  /** The host has no address. */
  | 'name'
  /** No connection, or one that broke off; TLS that cannot be trusted. */
  | 'connection'
  | 'timeout'
  | 'aborted'
  | 'too_large'
  /** The worker has too many exchanges with other servers already. */
  | 'busy';

export class FetchError extends Error {
  readonly code: FetchFailure;

  constructor(code: FetchFailure, origin: string, cause: unknown) {
    super(`${origin}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.name = 'FetchError';
    this.code = code;
  }

  /** What went wrong on a connection; what is no request at all (a TypeError) stays what it is. */
  static of(error: unknown, origin: string): Error {
    if (error instanceof FetchError || error instanceof TypeError) return error;
    return new FetchError('connection', origin, error);
  }
}
