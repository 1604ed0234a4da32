/**
 * One request to an HTTP/2 upstream: a stream of a session that is shared with others.
 *
 *     waiting ── a session has a place ──> open ── send … response read to its end ──> over
 *        └────────────────────────────────── error, time-out, cancel ──────────────────┘
 *
 * `node:http2` emits a head behind the frame that brought it, data when it comes and the end behind the trailers; each
 * is handed on at once, and flushed at the end of the event loop's turn: head, message and trailers of a unary call then
 * leave in one write. The last chunk of a request is kept until it is known whether it is the last, so that it carries
 * END_STREAM itself. The listeners are shared functions that find their stream by a symbol: no closure is made for each
 * request.
 */
import type { ClientHttp2Stream } from 'node:http2';
import { performance } from 'node:perf_hooks';
import { GatewayError } from '../../lib/gateway-error.ts';
import { WheelTimer } from '../../lib/timer-wheel.ts';
import type { ClientStream, ClientStreamHandler, OutgoingRequest, Trailers } from '../message.ts';
import { NO_BODY, UNKNOWN_LENGTH } from '../message.ts';
import { constants } from './codes.ts';
import type { ClientShared, SessionStream, StreamSession, StreamTimeouts } from './client-context.ts';
import { closedError, timeoutError } from './client-errors.ts';
import { listen, listenDrain, listenTrailers } from './client-listeners.ts';
import type { StreamEvents } from './client-listeners.ts';
import { BROKEN_OFF, CANCELLED } from './reset-errors.ts';
import { requestFields, responseHead, trailersObject } from './client-headers.ts';

/** A server may send this many interim responses to one request. */
const MAX_INTERIM = 16;

const WAITING = 0;
const OPEN = 1;
const OVER = 2;

export class Http2ClientStream implements ClientStream, SessionStream, StreamEvents {
  /** The session had served another request, and was not made for this try. */
  reused = false;
  takenBack = false;
  /** `performance.now()` when it began to wait for a place. */
  since = 0;
  readonly #shared: ClientShared;
  readonly #timeouts: StreamTimeouts;
  readonly #timer: WheelTimer;
  readonly #again: boolean;
  readonly #abandoned: (stream: Http2ClientStream) => void;
  #handler: ClientStreamHandler | null;
  /** Who was told last that it is over, in case that fails. */
  #lastHandler: ClientStreamHandler | null = null;
  #state = WAITING;
  #session: StreamSession | null = null;
  #stream: ClientHttp2Stream | null = null;
  #method = '';
  /** Written, and not given to the stream: it may be the last. */
  #held: Buffer | null = null;
  #requestEnded = false;
  #requestTrailers: Trailers | null = null;
  #takesTrailers = false;
  #responded = false;
  #trailers: Trailers | null = null;
  #interim = 0;
  #paused = false;
  #armedAt = 0;
  #waitsDrain = false;
  /** The place in the session was given back. */
  #left = false;

  /**
   * @param again the try replaces one whose session was stale: the next failure counts.
   * @param abandoned is told when a stream gives up that still waits.
   */
  constructor(
    shared: ClientShared,
    timeouts: StreamTimeouts,
    handler: ClientStreamHandler,
    again: boolean,
    abandoned: (stream: Http2ClientStream) => void,
  ) {
    this.#shared = shared;
    this.#timeouts = timeouts;
    this.#handler = handler;
    this.#again = again;
    this.#abandoned = abandoned;
    this.#timer = new WheelTimer(() => this.guard(() => this.#onTimeout()));
  }

  get ready(): boolean {
    return this.#state === OPEN;
  }

  get answered(): boolean {
    return this.#responded;
  }

  get complete(): boolean {
    const stream = this.#stream;
    if (stream === null) return false;
    if (stream.closed) return stream.rstCode === constants.NGHTTP2_NO_ERROR;
    return stream.state.state === constants.NGHTTP2_STREAM_STATE_HALF_CLOSED_REMOTE;
  }

  /** Has a place from the beginning. */
  open(session: StreamSession, reused: boolean): void {
    this.#state = OPEN;
    this.#session = session;
    this.reused = reused && !this.#again;
  }

  /** Waits for a place. */
  wait(): void {
    this.since = performance.now();
    this.#shared.wheel.arm(this.#timer, this.#timeouts.connect);
  }

  /** Got the place that it waited for. */
  opened(session: StreamSession, reused: boolean): void {
    this.#shared.wheel.disarm(this.#timer);
    this.open(session, reused);
    this.guard(() => this.#handler?.onConnect());
  }

  send(head: OutgoingRequest): void {
    const session = this.#session;
    if (session === null || this.#state !== OPEN) return;
    const endStream = head.bodyLength === NO_BODY || head.bodyLength === 0;
    this.#method = head.method;
    this.#requestEnded = endStream;
    this.#takesTrailers = head.bodyLength === UNKNOWN_LENGTH && !isGrpc(head);
    const options = this.#takesTrailers ? { endStream, waitForTrailers: true } : { endStream };
    const stream = session.request(requestFields(head, session.scheme), options);
    this.#stream = stream;
    listen(stream, this);
    if (this.#takesTrailers) listenTrailers(stream);
  }

  write(chunk: Buffer): boolean {
    const stream = this.#stream;
    if (stream === null || this.#requestEnded || chunk.length === 0) return true;
    if (this.#held !== null) stream.write(this.#held);
    this.#held = chunk;
    if (!stream.writableNeedDrain) return true;
    if (!this.#waitsDrain) listenDrain(stream);
    this.#waitsDrain = true;
    return false;
  }

  end(trailers: Trailers | null): void {
    const stream = this.#stream;
    if (stream === null || this.#requestEnded) return;
    this.#requestEnded = true;
    this.#requestTrailers = trailers;
    const held = this.#held;
    this.#held = null;
    if (held === null) stream.end();
    else stream.end(held);
  }

  flush(): boolean {
    const stream = this.#stream;
    if (stream === null) return false;
    if (this.#held !== null) stream.write(this.#held);
    this.#held = null;
    this.#arm();
    return false;
  }

  pauseBody(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#stream?.pause();
    this.#arm();
  }

  resumeBody(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#arm();
    this.#stream?.resume();
  }

  cancel(): void {
    this.#over(constants.NGHTTP2_CANCEL);
  }

  /** Ends in an error that is the session's, or the pool's. */
  fail(error: GatewayError): void {
    const handler = this.#over(constants.NGHTTP2_CANCEL);
    if (handler !== null) this.guard(() => handler.onError(error));
  }

  /** Runs an event's handling; a defect in it ends this exchange and no other. */
  guard(event: () => void): void {
    try {
      event();
    } catch (error) {
      this.defect(error);
    }
  }

  defect(error: unknown): void {
    const handler = this.#handler ?? this.#lastHandler;
    this.#shared.onDefect(error);
    this.#over(constants.NGHTTP2_INTERNAL_ERROR);
    this.#lastHandler = null;
    const init = { source: 'gateway', status: 500 } as const;
    handler?.onError(new GatewayError('defect', 'An unexpected error occurred', init));
  }

  // What the stream's listeners say.

  responded(fields: readonly string[], ended: boolean): void {
    if (this.#handler === null || this.#responded) return;
    this.#responded = true;
    if (this.#isTooLarge(fields)) return;
    this.#handler.onResponse(responseHead(fields, ended, this.#method));
    this.#progress();
  }

  informed(fields: readonly string[], status: number): void {
    if (status >= 200) return this.responded(fields, false);
    if (++this.#interim > MAX_INTERIM) return this.fail(closedError('malformed_response', 'never'));
    if (this.#isTooLarge(fields)) return;
    // The gateway answers `Expect` itself, so an upstream's 100 says nothing to the client.
    if (status !== 100) this.#handler?.onInform(responseHead(fields, true, 'HEAD'));
  }

  received(chunk: Buffer): void {
    this.#handler?.onBody(chunk);
    this.#progress();
  }

  trailing(fields: Trailers): void {
    if (this.#isTooLarge(fields)) return;
    this.#trailers = fields;
  }

  drained(): void {
    this.#waitsDrain = false;
    this.#arm();
    if (this.#state === OPEN) this.#handler?.onDrain();
  }

  wantsTrailers(): void {
    this.#stream?.sendTrailers(trailersObject(this.#requestTrailers ?? []));
  }

  ended(): void {
    const stream = this.#stream;
    // A stream that is destroyed ends, too.
    if (this.#state !== OPEN || !this.#responded || stream === null || stream.rstCode !== 0) return;
    if (stream.aborted && this.#session?.dead === true) return;
    const whole = this.#requestEnded && stream.writableFinished;
    if (whole) this.#leave();
    const handler = this.#over(constants.NGHTTP2_CANCEL, whole);
    if (handler === null) return;
    handler.onBodyEnd(this.#trailers);
    this.#shared.readEnded(handler);
  }

  closed(): void {
    const session = this.#session;
    const stream = this.#stream;
    const { reused } = this;
    this.#leave();
    const handler = this.#over(0, true);
    if (handler === null || session === null || stream === null) return;
    const code = stream.rstCode;
    if (this.#responded) {
      const resetCode = session.dead ? constants.NGHTTP2_INTERNAL_ERROR : code;
      return handler.onError(closedError('upstream_closed_early', 'never', session.cause, resetCode));
    }
    const unprocessed =
      code === constants.NGHTTP2_REFUSED_STREAM ||
      (stream.id !== undefined && session.isUnprocessed(stream.id));
    if (unprocessed) {
      // It may be full, or about to stop: the next try goes to another session.
      session.retire();
      return handler.onError(closedError('upstream_refused_stream', 'unprocessed'));
    }
    if (session.dead) {
      return handler.onError(closedError('upstream_closed', reused ? 'if-reused' : 'always', session.cause));
    }
    handler.onError(closedError('upstream_reset', 'always', `RST_STREAM with error code ${code}`));
  }

  /** nghttp2 holds a peer to its limits only when the peer has acknowledged them; then nothing follows. */
  #isTooLarge(fields: readonly string[]): boolean {
    const { headBytes, lines } = this.#shared.limits;
    let bytes = 0;
    for (const text of fields) bytes += text.length + 2;
    if (bytes <= headBytes && fields.length <= 2 * (lines + 1)) return false;
    this.fail(closedError('response_head_too_large', 'never'));
    return true;
  }

  #progress(): void {
    const handler = this.#handler;
    if (handler === null) return;
    this.#arm();
    this.#shared.readEnded(handler);
  }

  /**
   * Which time-out runs: for what is not yet sent, else for what is to come; none while the client is the slow one. What
   * is written is sent a little later, and nobody says when: so the sooner of both runs, and what it is for is seen when
   * it strikes.
   */
  #arm(): void {
    const stream = this.#stream;
    if (this.#state !== OPEN || stream === null) return;
    const { write, read } = this.#timeouts;
    const reads = this.#reads;
    const { wheel } = this.#shared;
    if (!reads && stream.writableLength === 0) return wheel.disarm(this.#timer);
    this.#armedAt = performance.now();
    const delay = stream.writableLength === 0 ? read : reads ? Math.min(write, read) : write;
    wheel.arm(this.#timer, delay, this.#armedAt);
  }

  /** Something is to come of the upstream. */
  get #reads(): boolean {
    return !this.#paused && (this.#requestEnded || this.#responded);
  }

  #onTimeout(): void {
    if (this.#state === WAITING) return this.#timedOut('connect');
    const writing = (this.#stream?.writableLength ?? 0) > 0;
    if (!writing && !this.#reads) return;
    const phase = writing ? 'write' : 'read';
    const left = this.#armedAt + this.#timeouts[phase] - performance.now();
    if (left <= 0) this.#timedOut(phase);
    else this.#shared.wheel.arm(this.#timer, left);
  }

  #timedOut(phase: 'connect' | 'write' | 'read'): void {
    const error = timeoutError(phase, this.#timeouts[phase], this.#responded);
    if (phase !== 'connect') this.#session?.probe(this.#timeouts.connect);
    this.#over(constants.NGHTTP2_CANCEL)?.onError(error);
  }

  /** Nothing more is said to the handler, which is answered; the peer is told by RST_STREAM unless it is done. */
  #over(code: number, done = false): ClientStreamHandler | null {
    const handler = this.#handler;
    if (this.#state === OVER) return null;
    const waited = this.#state === WAITING;
    this.#state = OVER;
    this.#handler = null;
    this.#lastHandler = handler;
    this.#held = null;
    this.#shared.wheel.remove(this.#timer);
    if (waited) this.#abandoned(this);
    else if (this.#stream === null) this.#leave();
    else if (!done) {
      this.takenBack = true;
      this.#stream.destroy(code === constants.NGHTTP2_CANCEL ? CANCELLED : BROKEN_OFF);
    }
    return handler;
  }

  #leave(): void {
    if (this.#left || this.#session === null) return;
    this.#left = true;
    this.#session.leave(this);
  }
}

/** gRPC has no trailers of requests, so that its last message can carry the end of the stream. */
function isGrpc(head: OutgoingRequest): boolean {
  return head.headers.get('content-type')?.startsWith('application/grpc') === true;
}
