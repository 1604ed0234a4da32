/**
 * The protocol-neutral seam between the wire and the request path.
 *
 * `proxy/` and plugins see heads, header views, body chunks, trailers and resets: never the bytes of a protocol.
 * `wire/http1` implements both sides; `wire/http2` will; tests may use an in-memory one.
 *
 * Flow control is credit: `write` answers false when the peer is slow, then the writer stops its source (`pause`)
 * until `onDrain`. Writes are coalesced until `flush`, so that a head and the first chunk leave in one write.
 */

/** Header fields of one message. Names are case-insensitive; callers pass lower case. */
export interface Headers {
  /** First value, or undefined. */
  get(name: string): string | undefined;
  /** All values in order, one for each line. */
  all(name: string): string[];
  has(name: string): boolean;
  each(visit: (name: string, value: string) => void): void;
  /** Replaces all lines of that name by one. `name` is written as given. */
  set(name: string, value: string): void;
  /** Adds a line. */
  add(name: string, value: string): void;
  remove(name: string): void;
}

export interface RequestHead {
  readonly method: string;
  /** Path and query as received (origin form), bytes as latin1; `*` for `OPTIONS *`. */
  readonly target: string;
  /** Host as the client wrote it, with port; empty when an HTTP/1.0 client sent none. */
  readonly authority: string;
  readonly version: '1.0' | '1.1' | '2';
  readonly headers: Headers;
}

export interface ResponseHead {
  readonly status: number;
  /** Reason phrase; only HTTP/1.1 has one. */
  readonly reason: string;
  readonly headers: Headers;
}

/** Octets in a body: a number when known from the head, `UNKNOWN_LENGTH` when only its end tells. */
export const UNKNOWN_LENGTH = -1;

/** Trailer fields, flat: name, value, name, value. */
export type Trailers = readonly string[];
