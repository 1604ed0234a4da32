/**
 * One HTTP/2 connection to an upstream, shared by streams.
 *
 *     connecting ── the peer's SETTINGS ──> open <── last stream ends, first begins ──> idle
 *         └──────────────┴── GOAWAY, requests used up, drain ──> leaving ── last stream ends ──> closed
 *
 * It is open when the peer's SETTINGS are here: only then is it known to speak HTTP/2, and how many streams it takes.
 * A peer in which a stream ran into its read time-out is asked by a PING; as long as it does not answer, no new stream
 * goes there, and after as long as a connect may take the connection is closed with all that are on it.
 */
import type * as http2 from 'node:http2';
import { WheelTimer } from '../../lib/timer-wheel.ts';
import { CELL } from '../../zone/worker-zone.ts';
import type { Destination } from '../tls/destination.ts';
import { connectUpstream, handshakeFailure } from '../tls/upstream-connect.ts';
import type { UpstreamSocket } from '../tls/upstream-connect.ts';
import { constants } from './codes.ts';
import type { ClientShared, SessionStream, StreamSession } from './client-context.ts';
import { UnseenResets } from './client-resets.ts';

/** Streams of one session whatever the peer would take. */
const MAX_STREAMS = 1024;
/** Stream numbers end at 2^31 - 1 and every second is ours (RFC 9113 §5.1.1). */
const MAX_REQUESTS = 2 ** 30 - 1;
const PROBE_MS = 5000;
/** How long the peer may take to close its half of a connection that is over. */
const CLOSE_MS = 5000;
/** Octets of one response that may wait for its client, and of all that may be on their way. */
const STREAM_WINDOW = 256 * 1024;
const SESSION_WINDOW = 4 * 1024 * 1024;
/** MiB that one session may hold: headers, and what waits to be sent, of which each stream takes two buffers' full. */
const SESSION_MEMORY = 256;

const ALPN = ['h2'];
/** `undefined` would make `node:http2` forget the code. */
const NO_ERROR = null as unknown as undefined;

const CONNECTING = 0;
const OPEN = 1;
const LEAVING = 2;
const CLOSED = 3;

/** What a session tells its pool. */
export interface SessionOwner {
  /** The peer's SETTINGS are here for the first time. */
  opened(session: Http2ClientSession): void;
  /** Places were free, came free, or are free no more. */
  changed(session: Http2ClientSession): void;
  /** The last stream has ended; answers for how many milliseconds it may wait for another, 0 to close. */
  idle(session: Http2ClientSession): number;
  /** It is idle no more. */
  busy(session: Http2ClientSession): void;
  closed(session: Http2ClientSession, wasConnecting: boolean): void;
}

export class Http2ClientSession implements StreamSession {
  readonly scheme: 'http' | 'https';
  /** Streams that the peer takes at once. */
  limit = 0;
  requests = 0;
  cause: unknown = undefined;
  /** It was given up since the peer did not answer in time. */
  timedOut = false;
  /** `performance.now()` when it began to connect. */
  readonly since = performance.now();
  /** Stands in the pool's list of those that have room; the pool's own. */
  listed = false;
  readonly #shared: ClientShared;
  readonly #owner: SessionOwner;
  readonly #timer: WheelTimer;
  readonly #socket: UpstreamSocket;
  /** Null until the socket is connected, and its peer verified where it must be. */
  #http2: http2.ClientHttp2Session | null = null;
  #state = CONNECTING;
  readonly #streams = new Set<SessionStream>();
  readonly #resets = new UnseenResets();
  #idle = false;
  #probing = false;
  /** The last stream that the peer has begun, by its GOAWAY. */
  #lastProcessed = Infinity;

  constructor(to: Destination, connectMs: number, shared: ClientShared, owner: SessionOwner) {
    this.#shared = shared;
    this.#owner = owner;
    this.scheme = to.tls === null ? 'http' : 'https';
    this.#timer = new WheelTimer(() => this.#guard(() => this.#onTimeout()));
    const onReady = (): void => this.#guard(() => this.#onReady(to));
    this.#socket = connectUpstream(to, { alpn: ALPN, onReady });
    let shaking = false;
    this.#socket.once('connect', () => (shaking = to.tls !== null));
    this.#socket.on('error', (error) => {
      this.cause ??= shaking && this.connecting ? handshakeFailure(error) : error;
    });
    this.#socket.on('end', () => this.#guard(() => this.#onEnd()));
    this.#socket.on('close', () => this.#guard(() => this.#onClose()));
    shared.wheel.arm(this.#timer, connectMs);
  }

  /** Makes a stream; the session has room, so it is open. */
  request(fields: readonly string[], options: http2.ClientSessionRequestOptions): http2.ClientHttp2Stream {
    const session = this.#http2;
    if (session === null) throw new Error('a stream before its session');
    return session.request(fields, options);
  }

  get dead(): boolean {
    return this.#socket.destroyed || this.#http2?.destroyed === true;
  }

  get connecting(): boolean {
    return this.#state === CONNECTING;
  }

  get idle(): boolean {
    return this.#idle;
  }

  /** The peer has said that it takes no streams now. */
  get takesNone(): boolean {
    return this.#state === OPEN && this.limit === 0 && !this.dead;
  }

  /** Another stream may begin here. */
  get hasRoom(): boolean {
    return (
      this.#state === OPEN &&
      !this.#probing &&
      this.#streams.size + this.#resets.count < this.limit &&
      this.#http2?.closed === false &&
      !this.dead
    );
  }

  /** Takes a place; the caller has seen that there is one. Answers whether the session had served another request. */
  enter(stream: SessionStream, maxRequests: number): boolean {
    if (this.#idle) this.#endRest();
    this.#streams.add(stream);
    const reused = this.requests++ > 0;
    if (this.requests >= Math.min(maxRequests, MAX_REQUESTS)) this.#state = LEAVING;
    if (this.#resets.count > 0) this.#askResets();
    return reused;
  }

  leave(stream: SessionStream): void {
    if (!this.#streams.delete(stream) || this.#state === CLOSED) return;
    this.#resets.left(stream.takenBack, stream.answered);
    if (this.#resets.count > 0) this.#askResets();
    if (this.#streams.size === 0) this.#rest();
    // Nearly always it had room before, and nobody waits.
    if (!this.listed || this.#state !== OPEN) this.#owner.changed(this);
  }

  /** When streams that were taken back are all that stands between others and a place. */
  #askResets(): void {
    const session = this.#http2;
    if (session === null || this.#state !== OPEN || this.dead) return;
    if (this.#streams.size + this.#resets.count < this.limit) return;
    this.#resets.ask(
      (answered) => session.ping(answered),
      () => this.#guard(() => this.#owner.changed(this)),
    );
  }

  isUnprocessed(streamId: number): boolean {
    return streamId > this.#lastProcessed;
  }

  probe(roundTripMs: number): void {
    const session = this.#http2;
    if (session === null || this.#probing || this.#state === CLOSED || this.dead) return;
    this.#probing = true;
    this.#shared.wheel.arm(this.#timer, Math.min(PROBE_MS, roundTripMs));
    this.#owner.changed(this);
    if (session.closed) return;
    session.ping((error) => this.#guard(() => this.#onPong(error)));
  }

  /** No stream begins here any more; closes when the last has ended. */
  retire(): void {
    if (this.#state === LEAVING || this.#state === CLOSED) return;
    if (this.#state === CONNECTING) return this.destroy(undefined);
    this.#state = LEAVING;
    if (this.#idle) this.#endRest();
    if (this.#streams.size === 0) this.#close();
    this.#owner.changed(this);
  }

  /** Ends it with all its streams. Without a code those would end as if their responses were whole. */
  destroy(cause: unknown): void {
    this.cause ??= cause;
    this.#http2?.destroy(NO_ERROR, constants.NGHTTP2_INTERNAL_ERROR);
    this.#socket.destroy();
  }

  #onReady({ host: hostname, port }: Destination): void {
    if (this.#state !== CONNECTING) return;
    const authority = { protocol: `${this.scheme}:`, hostname, port } as unknown as URL;
    const { connect } = process.getBuiltinModule('node:http2');
    const session = connect(authority, sessionOptions(this.#socket, this.#shared));
    this.#http2 = session;
    session.setLocalWindowSize(SESSION_WINDOW);
    session.on('remoteSettings', (settings) => this.#guard(() => this.#onSettings(settings)));
    session.on('goaway', (_, last: number) => this.#guard(() => this.#onGoaway(last)));
    session.on('error', (error) => (this.cause = error));
    session.on('close', () => this.#guard(() => this.#onClose()));
  }

  /** The peer sends no more. What it had sent to its end may still be read. */
  #onEnd(): void {
    if (this.#state === CONNECTING) return this.destroy(undefined);
    for (const stream of this.#streams) if (!stream.complete) return this.destroy(undefined);
    this.retire();
  }

  #onGoaway(lastStreamId: number): void {
    this.#lastProcessed = lastStreamId;
    this.retire();
  }

  #onSettings(settings: http2.Settings): void {
    this.limit = Math.min(settings.maxConcurrentStreams ?? MAX_STREAMS, MAX_STREAMS);
    if (this.#state !== CONNECTING) return this.#owner.changed(this);
    this.#state = OPEN;
    this.#shared.wheel.disarm(this.#timer);
    this.#owner.opened(this);
    if (this.#streams.size === 0 && this.#state === OPEN) this.#rest();
  }

  #rest(): void {
    const idleMs = this.#state === OPEN ? this.#owner.idle(this) : 0;
    if (idleMs === 0) return this.#close();
    this.#idle = true;
    this.#shared.zone.increment(CELL.upstreamIdle);
    if (!this.#probing) this.#shared.wheel.arm(this.#timer, idleMs);
  }

  #endRest(): void {
    this.#idle = false;
    this.#owner.busy(this);
    this.#shared.zone.decrement(CELL.upstreamIdle);
    if (!this.#probing) this.#shared.wheel.disarm(this.#timer);
  }

  #close(): void {
    this.#state = LEAVING;
    this.#http2?.close();
    this.#shared.wheel.arm(this.#timer, CLOSE_MS);
  }

  #onPong(error: Error | null): void {
    this.#probing = false;
    if (error !== null || this.#state === CLOSED) return;
    this.#shared.wheel.disarm(this.#timer);
    if (this.#idle) {
      this.#endRest();
      this.#rest();
    }
    this.#owner.changed(this);
  }

  #onTimeout(): void {
    if (this.#idle && !this.#probing) return this.retire();
    this.timedOut = true;
    this.destroy(this.#state === CONNECTING ? 'no SETTINGS in time' : 'no answer to PING');
  }

  #onClose(): void {
    if (this.#state === CLOSED) return;
    const wasConnecting = this.#state === CONNECTING;
    if (this.#idle) this.#endRest();
    this.#state = CLOSED;
    this.#shared.wheel.remove(this.#timer);
    this.#owner.closed(this, wasConnecting);
  }

  #guard(event: () => void): void {
    try {
      event();
    } catch (error) {
      this.#shared.onDefect(error);
      this.destroy(error);
    }
  }
}

function sessionOptions(socket: UpstreamSocket, { limits }: ClientShared): http2.ClientSessionOptions {
  const options = {
    createConnection: () => socket,
    maxHeaderListPairs: limits.lines,
    maxSessionMemory: SESSION_MEMORY,
    // Not in the types: what a client repeats is for the upstream to judge.
    strictSingleValueFields: false,
    settings: { enablePush: false, initialWindowSize: STREAM_WINDOW, maxHeaderListSize: limits.headBytes },
  };
  return options;
}
