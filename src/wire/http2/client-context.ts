/** What all HTTP/2 sessions to upstreams share, and what binds pool, sessions and streams to each other. */
import type { ClientHttp2Stream, ClientSessionRequestOptions } from 'node:http2';
import type { TimerWheel } from '../../lib/timer-wheel.ts';
import type { WorkerZone } from '../../zone/worker-zone.ts';
import type { ClientStreamHandler } from '../message.ts';

/** Milliseconds; Kong's connect_timeout, write_timeout, read_timeout of a service. */
export interface StreamTimeouts {
  readonly connect: number;
  readonly write: number;
  readonly read: number;
}

export interface ClientShared {
  readonly wheel: TimerWheel;
  readonly zone: WorkerZone;
  readonly limits: { readonly headBytes: number; readonly lines: number };
  /** A defect: something on the request path threw. */
  onDefect(error: unknown): void;
  /** Tells the handler, when all that came in this turn of the event loop was delivered, that now is when to flush. */
  readEnded(handler: ClientStreamHandler): void;
}

/** A stream as its session sees it. */
export interface SessionStream {
  /** The peer has sent all of it. */
  readonly complete: boolean;
  /** It was reset from here. */
  readonly takenBack: boolean;
  /** A response has begun. */
  readonly answered: boolean;
}

/** A session as its streams see it. */
export interface StreamSession {
  readonly scheme: 'http' | 'https';
  request(fields: readonly string[], options: ClientSessionRequestOptions): ClientHttp2Stream;
  /** The connection is gone: what its streams did not get, they will not get. */
  readonly dead: boolean;
  /** Why, when it was an error. */
  readonly cause: unknown;
  /** The peer's last word (GOAWAY) says that it has not begun this stream. */
  isUnprocessed(streamId: number): boolean;
  /** No stream begins there any more. */
  retire(): void;
  /** The stream's place is free for another. */
  leave(stream: SessionStream): void;
  /** The peer has been silent for too long: is it there at all? It has so many milliseconds to say so. */
  probe(roundTripMs: number): void;
}
