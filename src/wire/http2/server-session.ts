/**
 * One client connection that speaks HTTP/2: makes a `ServerStream` of each of its streams.
 *
 * `node:http2` is used at its cheapest: `performServerHandshake` on a socket that is ready, the `stream` event with the
 * fields as they came, raw arrays for responses, no compatibility layer, and as few listeners as a request allows.
 * Nothing is timed for each request: a look at all streams of the connection, by the timer wheel, finds those on which
 * nothing has moved for a body's or a write's time, idle connections, and floods.
 *
 * A flood is what nginx takes for one: far more octets read than heads and bodies explain. So it is one rule against
 * PING, SETTINGS, PRIORITY, WINDOW_UPDATE and empty DATA. What comes before any frame is counted (resets, settings at
 * once, CONTINUATION, header lists, memory) has limits inside nghttp2 and `node:http2` (docs/adr/0024).
 */
import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { WheelTimer } from '../../lib/timer-wheel.ts';
import { CELL } from '../../zone/worker-zone.ts';
import type { ServerConnection } from '../http1/client-context.ts';
import type { Peer } from '../message.ts';
import { constants } from './codes.ts';
import { MAX_WINDOW } from './server-context.ts';
import type { Http2ServerContext } from './server-context.ts';
import { Http2ServerStream } from './server-stream.ts';

/** The longest time between two looks at a connection. */
const LOOK_MS = 1000;
/** Octets that nothing explains: this many are forgiven, and so many for each octet of a head or a body. */
const FLOOD_BYTES = 1024 * 1024;
const FLOOD_FACTOR = 8;
/** A connection that moved much may not save up for a flood later. */
const MAX_CREDIT = 16 * FLOOD_BYTES;

export class Http2ServerSession implements ServerConnection {
  peer: Peer;
  /** The last authority that was found valid. */
  knownAuthority = '';
  /** Octets of heads and bodies, both ways. */
  payload = 0;
  /** Octets of bodies that the request path keeps. */
  kept = 0;
  readonly context: Http2ServerContext;
  readonly #socket: Socket;
  readonly #session: ServerHttp2Session;
  readonly #streams = new Set<Http2ServerStream>();
  readonly #timer: WheelTimer;
  #requests = 0;
  /** Of the last look. */
  #seenRequests = 0;
  #seenBytes = 0;
  #seenPayload = 0;
  #credit = FLOOD_BYTES;
  #idleSince: number;
  /** When a connection that was said goodbye to is cut. */
  #cutAt = Infinity;
  #closed = false;

  constructor(socket: Socket, peer: Peer, context: Http2ServerContext) {
    this.peer = peer;
    this.context = context;
    this.#socket = socket;
    this.#idleSince = performance.now();
    this.#timer = new WheelTimer(() => this.#guard(() => this.#look()));
    const { performServerHandshake } = process.getBuiltinModule('node:http2');
    const session = performServerHandshake(socket, context.http2Options);
    this.#session = session;
    // Each stream has its own window, so that one that stands still does not stop the others.
    session.setLocalWindowSize(Math.min(MAX_WINDOW, (context.http2.streams + 1) * context.http2.preread));
    session.on(
      'stream',
      (stream: ServerHttp2Stream, _: IncomingHttpHeaders, flags: number, raw: readonly string[]) =>
        this.#onStream(stream, flags, raw),
    );
    session.on('error', (error: Error) => this.#onError(error));
    session.on('close', () => this.#onClose());
    // Half a connection has no answers to give: the other half is what acknowledges them.
    socket.on('end', () => session.destroy());
    context.zone.increment(CELL.active);
    context.zone.increment(CELL.waiting);
    this.#arm();
    if (context.draining) this.drain();
  }

  /**
   * Says goodbye with the id of the last stream that was taken, so that a client knows which to send again elsewhere.
   * (A notice before it, RFC 9113 §6.8, is not in `node:http2`: nghttp2 drops streams behind any GOAWAY of its `goaway`.)
   */
  drain(): void {
    this.#goodbye();
  }

  destroy(): void {
    this.#session.destroy();
    this.#socket.destroy();
  }

  /** A stream is over. */
  ended(stream: Http2ServerStream): void {
    if (!this.#streams.delete(stream)) return;
    const { zone } = this.context;
    zone.decrement(CELL.http2Streams);
    if (this.#streams.size > 0 || this.#closed) return;
    zone.decrement(CELL.writing);
    zone.increment(CELL.waiting);
  }

  #onStream(stream: ServerHttp2Stream, flags: number, raw: readonly string[]): void {
    const { zone, maxRequests, timeouts } = this.context;
    // Taken back in the same read: nothing was begun, and nothing is.
    if (stream.destroyed || stream.closed) {
      zone.increment(CELL.http2Resets);
      stream.on('error', ignore);
      return;
    }
    if (this.#streams.size === 0) {
      zone.decrement(CELL.waiting);
      zone.increment(CELL.writing);
    }
    zone.increment(CELL.http2Streams);
    zone.increment(CELL.requests);
    this.#requests++;
    const ended = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    const request = new Http2ServerStream(stream, this, ended);
    this.#streams.add(request);
    request.begin(raw);
    if (this.#requests >= maxRequests || timeouts.keepAlive === 0) this.#goodbye();
  }

  /** No more streams; those that are open end in their time. */
  #goodbye(): void {
    if (this.#session.closed || this.#closed) return;
    this.#session.close();
    if (this.#streams.size === 0) this.#cutAt = performance.now() + this.context.timeouts.send;
  }

  /** The look at the connection: what stands still, what is idle, what floods. */
  #look(): void {
    if (this.#closed) return;
    const now = performance.now();
    if (now >= this.#cutAt) return this.destroy();
    if (this.#floods()) return this.#calm();
    for (const stream of this.#streams) stream.look(now);
    if (this.#streams.size > 0 || this.#requests !== this.#seenRequests) this.#idleSince = now;
    this.#seenRequests = this.#requests;
    this.#lookIdle(now);
    if (!this.#closed) this.#arm();
  }

  #lookIdle(now: number): void {
    if (this.#streams.size > 0) return;
    const { timeouts } = this.context;
    const limit = this.#requests === 0 ? timeouts.header : timeouts.keepAlive;
    if (this.#session.closed) {
      if (this.#cutAt === Infinity) this.#cutAt = now + timeouts.send;
    } else if (now - this.#idleSince >= limit) this.#goodbye();
  }

  #floods(): boolean {
    const bytes = this.#socket.bytesRead;
    this.#credit += FLOOD_FACTOR * (this.payload - this.#seenPayload) - (bytes - this.#seenBytes);
    this.#seenPayload = this.payload;
    this.#seenBytes = bytes;
    if (this.#credit > MAX_CREDIT) this.#credit = MAX_CREDIT;
    return this.#credit < 0;
  }

  #calm(): void {
    this.context.zone.increment(CELL.http2Floods);
    this.#session.destroy(new Error('flood of frames'), constants.NGHTTP2_ENHANCE_YOUR_CALM);
    this.#cutAt = performance.now() + this.context.timeouts.send;
    this.#arm();
  }

  #arm(): void {
    const { wheel, timeouts } = this.context;
    const shortest = Math.min(timeouts.header, timeouts.body, timeouts.send, timeouts.keepAlive || LOOK_MS);
    wheel.arm(this.#timer, Math.min(LOOK_MS, Math.max(1, shortest / 4)));
  }

  /** Told by nghttp2 of a connection that breaks the protocol or its limits, or by the socket that it broke. */
  #onError(error: Error): void {
    const { code } = error as NodeJS.ErrnoException;
    if (code?.startsWith('ERR_HTTP2') === true) this.context.zone.increment(CELL.http2Errors);
  }

  #onClose(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.destroy();
    const { wheel, zone } = this.context;
    wheel.remove(this.#timer);
    zone.decrement(CELL.active);
    zone.decrement(this.#streams.size > 0 ? CELL.writing : CELL.waiting);
    for (const stream of this.#streams) stream.gone();
    this.context.closed(this);
  }

  #guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.context.onDefect(error);
      this.destroy();
    }
  }
}

function ignore(): void {
  // What a client takes back has no error for anybody.
}
