/**
 * One connection from a client: reads requests, hands each to the request path as a `ServerStream` (this object serves
 * them one after the other), writes responses.
 *
 *     idle ── first byte ──> head ── complete ──> exchange ── body read, response written ──> idle
 *       └── time-out, FIN ──> closed    └─ fault ─┘   └── Connection: close ──> lingering ──> closed
 *
 * Requests that came pipelined behind the current one wait, and reading stops when they fill `HOLD_BYTES`: so they cost
 * little, and behind a few of them it is still seen that the client has gone. Whatever comes synchronously is worked off
 * in one loop, never by recursion: a client that sends a thousand requests in one packet gets them answered on the same
 * stack.
 */
import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { GatewayError } from '../../lib/gateway-error.ts';
import { WheelTimer } from '../../lib/timer-wheel.ts';
import { CELL } from '../../zone/worker-zone.ts';
import { NO_BODY, UNKNOWN_LENGTH } from '../message.ts';
import type { Peer, ResponseHead, ServerStream, ServerStreamHandler, Trailers, Tunnel } from '../message.ts';
import { freeRead } from '../read-buffers.ts';
import { resetSocket } from '../reset-socket.ts';
import { SocketTunnel } from '../socket-tunnel.ts';
import { BodyReader } from './body-reader.ts';
import type { ClientContext } from './client-context.ts';
import { clientFault } from './fault.ts';
import { HeadBuffer } from './head-buffer.ts';
import type { RequestHeadParser } from './head-parser.ts';
import { interpretRequest } from './head.ts';
import { Output } from './output.ts';
import { ResponseWriter } from './response-writer.ts';

const IDLE = 0;
const HEAD = 1;
const EXCHANGE = 2;
const LINGER = 3;
const TUNNEL = 4;
const CLOSED = 5;

/** How long a client that sent FIN may wait for a response that has not begun. A gone client looks the same. */
const HALF_CLOSED_GRACE_MS = 1000;
/** nginx's lingering_timeout and lingering_time: what still comes is read, so that no reset overtakes the response. */
const LINGER_STEP_MS = 5000;
const LINGER_TOTAL_MS = 30_000;
/** A request body that nobody wants is read up to this far to keep the connection. */
const DISCARD_BYTES = 1024 * 1024;
/** So much of what must wait is read ahead. */
const HOLD_BYTES = 16 * 1024;
/** While the worker drains, an idle connection may bring one more request for this long. */
const DRAIN_IDLE_MS = 1000;

export class ClientConnection implements ServerStream {
  /** Replaced whole when the settings judge it otherwise; a request keeps the one that it began with. */
  peer: Peer;
  readonly #socket: Socket;
  readonly #context: ClientContext;
  readonly #output: Output;
  readonly #response: ResponseWriter;
  readonly #timer: WheelTimer;
  #headBuffer: HeadBuffer | null = null;
  #parser: RequestHeadParser | null = null;
  #state = IDLE;
  #requests = 0;
  #lastAuthority = '';
  /** What was read and must wait. */
  #stash: Buffer | null = null;
  #processing = false;
  #halfClosed = false;
  #lingerUntil = 0;
  #tunnel: SocketTunnel | null = null;

  #handler: ServerStreamHandler | null = null;
  #body: BodyReader | null = null;
  #bodyDone = true;
  #bodyWanted = false;
  #bodyPaused = false;
  #continuePending = false;
  #discarded = 0;

  #keepAlive = true;

  constructor(socket: Socket, peer: Peer, context: ClientContext) {
    this.#socket = socket;
    this.#context = context;
    this.peer = peer;
    this.#output = new Output(socket, context.scratch, peer.tls !== null);
    this.#response = new ResponseWriter(socket, this.#output);
    this.#timer = new WheelTimer(() => this.#onTimeout());
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('drain', () => this.#onDrain());
    socket.on('end', () => this.#onEnd());
    socket.on('error', () => this.#onGone());
    socket.on('close', () => this.#onGone());
    context.wheel.arm(this.#timer, context.timeouts.header);
    context.zone.increment(CELL.active);
    context.zone.increment(CELL.waiting);
  }

  // ServerStream: what the request path does with the current request.

  handle(handler: ServerStreamHandler): void {
    this.#handler = handler;
  }

  readBody(): void {
    if (this.#bodyWanted || this.#bodyDone) return;
    this.#bodyWanted = true;
    if (this.#continuePending && !this.#response.responded) {
      this.#continuePending = false;
      this.#response.continue();
    }
    this.#armBody();
    if (!this.#processing) this.#resumeReading();
  }

  pauseBody(): void {
    if (this.#bodyPaused) return;
    this.#bodyPaused = true;
    // Who does not read the response is late all the same.
    if (this.#socket.writableLength === 0) this.#context.wheel.disarm(this.#timer);
    this.#socket.pause();
  }

  resumeBody(): void {
    if (!this.#bodyPaused) return;
    this.#bodyPaused = false;
    if (!this.#bodyDone) this.#armBody();
    if (!this.#processing) this.#resumeReading();
    // Paused and resumed on one stack: nothing waits, but the socket stands still.
    else if (this.#stash === null) this.#socket.resume();
  }

  inform(head: ResponseHead): void {
    this.#response.inform(head);
  }

  lastResponse(): void {
    this.#keepAlive = false;
  }

  respond(head: ResponseHead): void {
    this.#keepAlive = this.#response.head(head, this.#keepAlive && this.#mayPersist());
    if (this.#halfClosed) this.#context.wheel.disarm(this.#timer);
  }

  write(chunk: Buffer): boolean {
    return this.#response.write(chunk);
  }

  end(trailers: Trailers | null): void {
    if (!this.#response.end(trailers)) this.reset();
  }

  flush(): boolean {
    if (this.#state === CLOSED) return false;
    const held = this.#output.flush();
    if (held || this.#socket.writableNeedDrain)
      this.#context.wheel.arm(this.#timer, this.#context.timeouts.send);
    if (this.#response.ended && !this.#socket.writableNeedDrain) this.#finish();
    return held;
  }

  readAhead(bytes: number): void {
    this.#response.readAhead = bytes;
  }

  keeps(): boolean {
    // There is one body at a time, which has its own bound.
    return true;
  }

  reset(): void {
    if (this.#state === CLOSED) return;
    this.#context.zone.increment(CELL.broken);
    this.#handler = null;
    this.#output.flush();
    this.#close(this.#response.endsAtClose);
  }

  upgrade(head: ResponseHead): Tunnel {
    this.#response.switchProtocols(head);
    this.#setState(TUNNEL);
    this.#handler = null;
    this.#context.zone.increment(CELL.tunnels);
    this.#context.wheel.remove(this.#timer);
    const rest = this.#stash;
    this.#stash = null;
    this.#tunnel = new SocketTunnel(this.#socket, rest);
    if (this.#halfClosed) this.#tunnel.ended();
    this.#socket.resume();
    return this.#tunnel;
  }

  // Life of the connection.

  /** The worker stops, or the peer is outdated: idle connections end soon, busy ones with their response. */
  drain(): void {
    if (this.#state === IDLE) this.#context.wheel.arm(this.#timer, DRAIN_IDLE_MS);
  }

  /** The grace time is over. */
  destroy(): void {
    this.#onGone();
    this.#close(false);
  }

  #onData(chunk: Buffer): void {
    if (this.#tunnel !== null) {
      if (!this.#tunnel.deliver(chunk)) freeRead(chunk);
      return;
    }
    this.#process(chunk);
  }

  #process(chunk: Buffer): void {
    this.#processing = true;
    try {
      let at = 0;
      while (at < chunk.length) at = this.#take(chunk, at);
    } catch (error) {
      this.#context.onDefect(error);
      this.#onGone();
      this.#close(false);
    }
    this.#processing = false;
  }

  /** Works on what was read, from `at` on, as the state wants it; answers how far it came. */
  #take(chunk: Buffer, at: number): number {
    switch (this.#state) {
      case IDLE:
      case HEAD:
        return this.#takeHead(chunk, at);
      case EXCHANGE:
        return this.#takeBody(chunk, at);
      case LINGER:
        this.#armLinger();
        return chunk.length;
      case TUNNEL:
        this.#tunnel?.deliver(at === 0 ? chunk : chunk.subarray(at));
        return chunk.length;
      default:
        return chunk.length;
    }
  }

  #takeHead(chunk: Buffer, at: number): number {
    const context = this.#context;
    if (this.#state === IDLE) {
      this.#setState(HEAD);
      this.#parser = context.takeParser();
    }
    const parser = this.#parser as RequestHeadParser;
    let fault = 0;
    if (this.#headBuffer === null) {
      // The usual case: the head came whole in one read.
      const next = parser.parse(chunk, at, chunk.length);
      if (next >= 0) {
        this.#begin(parser);
        return next;
      }
      this.#headBuffer = new HeadBuffer();
      context.wheel.arm(this.#timer, context.timeouts.header);
    }
    const headBuffer = this.#headBuffer;
    const complete = headBuffer.read(parser, chunk, at, chunk.length);
    fault = headBuffer.fault;
    if (complete) {
      this.#headBuffer = null;
      this.#begin(parser);
      return at + headBuffer.taken;
    }
    if (fault !== 0) this.#malformed(fault);
    return chunk.length;
  }

  /** A head is complete: make it a request. */
  #begin(parser: RequestHeadParser): void {
    const context = this.#context;
    const head = interpretRequest(parser, this.#lastAuthority);
    if (typeof head === 'number') return this.#malformed(head);
    context.wheel.disarm(this.#timer);
    context.zone.increment(CELL.requests);
    this.#lastAuthority = head.authority;
    this.#setState(EXCHANGE);
    this.#requests++;
    this.#keepAlive = head.keepAlive;
    this.#response.begin(head);
    this.#bodyPaused = this.#bodyWanted = false;
    this.#bodyDone = head.bodyLength === NO_BODY || head.bodyLength === 0;
    this.#continuePending = head.expectsContinue;
    this.#discarded = 0;
    if (!this.#bodyDone) this.#startBody(head.bodyLength);
    context.onRequest(this, head);
  }

  #startBody(length: number): void {
    this.#body ??= new BodyReader({
      bodyData: (data) => this.#onBodyData(data),
      bodyEnd: (trailers) => this.#onBodyEnd(trailers),
    });
    if (length === UNKNOWN_LENGTH) this.#body.startChunked(this.#context.trailerBytes);
    else this.#body.startLength(length);
  }

  #takeBody(chunk: Buffer, at: number): number {
    const discarding = this.#response.ended;
    // What waits comes first.
    if (this.#stash !== null || this.#bodyDone || this.#bodyPaused || !(this.#bodyWanted || discarding)) {
      this.#hold(chunk, at);
      return chunk.length;
    }
    const next = (this.#body as BodyReader).read(chunk, at, chunk.length);
    if (next < 0) {
      this.#bodyFault(clientFault(next));
      return chunk.length;
    }
    if (!discarding) {
      if (!this.#bodyDone && !this.#bodyPaused) this.#armBody();
      this.#handler?.onReadEnd();
    }
    return next;
  }

  #onBodyData(data: Buffer): void {
    if (!this.#response.ended) {
      this.#handler?.onBody(data);
      return;
    }
    this.#discarded += data.length;
    if (this.#discarded <= DISCARD_BYTES) return;
    this.#keepAlive = false;
    this.#finish();
  }

  #onBodyEnd(trailers: Trailers | null): void {
    this.#bodyDone = true;
    // A client that does not read its response must not get rid of the time-out by ending its body.
    if (this.#socket.writableLength > 0) this.#context.wheel.arm(this.#timer, this.#context.timeouts.send);
    else this.#context.wheel.disarm(this.#timer);
    if (!this.#response.ended) this.#handler?.onBodyEnd(trailers);
    else if (!this.#socket.writableNeedDrain) this.#finish();
  }

  /** The body is malformed or late. */
  #bodyFault(error: GatewayError): void {
    const handler = this.#handler;
    this.#keepAlive = false;
    this.#bodyDone = true;
    this.#body?.stop();
    if (this.#response.ended) return this.#finish();
    handler?.onRequestError(error);
  }

  /** Keeps what cannot be worked on now. */
  #hold(chunk: Buffer, at: number): void {
    const piece = at === 0 ? chunk : chunk.subarray(at);
    this.#stash = this.#stash === null ? piece : Buffer.concat([this.#stash, piece]);
    if (this.#stash.length >= HOLD_BYTES) this.#socket.pause();
  }

  #resumeReading(): void {
    const stash = this.#stash;
    if (stash !== null) {
      this.#stash = null;
      this.#process(stash);
    }
    if (this.#bodyPaused || this.#state === CLOSED) return;
    if (this.#halfClosed) this.#onEnd();
    else if (this.#stash === null || this.#stash.length < HOLD_BYTES) this.#socket.resume();
  }

  /** The response is written; the exchange is over when the request has been read, too. */
  #finish(): void {
    if (this.#state !== EXCHANGE) return;
    const handler = this.#handler;
    this.#handler = null;
    handler?.onFinish();
    if (!this.#keepAlive) return this.#linger();
    if (!this.#bodyDone) return this.#discardBody();
    this.#nextRequest();
  }

  #discardBody(): void {
    this.#bodyPaused = false;
    this.#armBody();
    if (!this.#processing) this.#resumeReading();
  }

  #nextRequest(): void {
    this.#releaseParser();
    this.#setState(IDLE);
    const { wheel, draining, timeouts } = this.#context;
    wheel.arm(this.#timer, draining ? DRAIN_IDLE_MS : timeouts.keepAlive);
    if (this.#processing) return;
    if (this.#stash !== null || this.#bodyPaused) {
      this.#bodyPaused = false;
      this.#resumeReading();
    }
    if (this.#halfClosed && this.#state === IDLE) this.#close(false);
  }

  /**
   * The exchange is over: nobody asks for its head any more. Also where the connection ends with it: a parser that goes with
   * its connection keeps the read that it parsed until a collection of the whole heap.
   */
  #releaseParser(): void {
    const parser = this.#parser;
    this.#parser = null;
    if (parser !== null) this.#context.releaseParser(parser);
  }

  /** A head that is no request: one answer, then the connection ends. */
  #malformed(fault: number): void {
    const parser = this.#parser as RequestHeadParser;
    const line = parser.method === '' ? '' : `${parser.method} ${parser.rawTarget} HTTP/${parser.version}`;
    this.#context.zone.increment(CELL.requests);
    this.#refuse(clientFault(fault), line);
  }

  #refuse(error: GatewayError, requestLine: string): void {
    const { method, fields } = this.#parser as RequestHeadParser;
    // Whoever answers reads the fields until after the last byte: this parser is not used again.
    this.#parser = null;
    this.#setState(EXCHANGE);
    this.#handler = null;
    this.#keepAlive = false;
    this.#response.beginRefusal(method);
    this.#bodyDone = true;
    this.#context.onMalformed(this, error, { requestLine, headers: fields });
  }

  #mayPersist(): boolean {
    const { draining, maxRequests, timeouts } = this.#context;
    if (draining || this.peer.outdated === true) return false;
    if (this.#requests >= maxRequests || timeouts.keepAlive === 0) return false;
    if (this.#bodyDone) return true;
    // A client that waits for 100 may send the body or not after a final answer: the next bytes would be a guess.
    return !this.#continuePending && (this.#body?.remaining ?? 0) <= DISCARD_BYTES;
  }

  /** FIN after the response, then what still comes is read and dropped. */
  #linger(): void {
    if (this.#state === LINGER || this.#state === CLOSED) return;
    this.#setState(LINGER);
    this.#handler = null;
    this.#releaseParser();
    this.#body?.stop();
    this.#stash = null;
    this.#lingerUntil = performance.now() + LINGER_TOTAL_MS;
    this.#socket.end();
    this.#armLinger();
    if (this.#halfClosed) this.#socket.destroySoon();
    else this.#socket.resume();
  }

  #armLinger(): void {
    const now = performance.now();
    if (now >= this.#lingerUntil) this.#close(false);
    else this.#context.wheel.arm(this.#timer, LINGER_STEP_MS, now);
  }

  /** Which time-out runs while a body comes: for what the client does not send, or for what it does not take. */
  #armBody(): void {
    const { wheel, timeouts } = this.#context;
    if (this.#socket.writableLength === 0) wheel.arm(this.#timer, timeouts.body);
    // A client that does not read does not get more time by sending.
    else if (this.#timer.deadline === Infinity) wheel.arm(this.#timer, timeouts.send);
  }

  #onDrain(): void {
    if (this.#tunnel !== null) return this.#tunnel.drained();
    if (this.#state !== EXCHANGE) return;
    this.#context.wheel.disarm(this.#timer);
    if (!this.#bodyDone && this.#bodyWanted && !this.#bodyPaused) this.#armBody();
    if (this.#response.ended) this.#finish();
    else this.#handler?.onDrain();
  }

  /** FIN from the client. */
  #onEnd(): void {
    if (this.#tunnel !== null) return this.#tunnel.ended();
    this.#halfClosed = true;
    if (this.#state === IDLE || this.#state === HEAD) this.#close(false);
    else if (this.#state === LINGER) this.#socket.destroySoon();
    else if (this.#state !== EXCHANGE) return;
    else if (this.#bodyDone) {
      if (!this.#response.responded) this.#context.wheel.arm(this.#timer, HALF_CLOSED_GRACE_MS);
      // What the stash holds may be all that is missing: `#resumeReading` comes back here.
    } else if (this.#stash === null) this.#onGone();
  }

  /** The connection broke, or nobody is there any more. */
  #onGone(): void {
    if (this.#tunnel !== null) this.#tunnel.closed();
    this.#socket.destroy();
    if (this.#state === CLOSED) return this.#context.wheel.remove(this.#timer);
    const handler = this.#handler;
    this.#handler = null;
    this.#close(false);
    handler?.onRequestError(
      new GatewayError('client_closed_request', 'client closed the connection', {
        source: 'client',
        status: 499,
      }),
    );
  }

  #onTimeout(): void {
    if (this.#state === CLOSED) return void this.#socket.destroy();
    if (this.#state === HEAD) return this.#refuse(requestTimeout('client_header_timeout'), '');
    if (this.#state !== EXCHANGE) return this.#close(false);
    if (this.#socket.writableLength > 0 || (this.#halfClosed && !this.#response.responded))
      return this.#onGone();
    if (!this.#bodyDone && !this.#bodyPaused) this.#bodyFault(requestTimeout('client_body_timeout'));
  }

  #setState(state: number): void {
    const cells = GAUGES[this.#state];
    const next = GAUGES[state];
    if (cells === next) {
      this.#state = state;
      return;
    }
    if (cells !== undefined) this.#context.zone.decrement(cells);
    if (next !== undefined) this.#context.zone.increment(next);
    this.#state = state;
  }

  #close(withReset: boolean): void {
    if (this.#state === CLOSED) return;
    if (this.#state === TUNNEL) this.#context.zone.decrement(CELL.tunnels);
    this.#setState(CLOSED);
    this.#context.zone.decrement(CELL.active);
    this.#body?.stop();
    this.#stash = null;
    this.#headBuffer = null;
    this.#output.discard();
    this.#context.wheel.remove(this.#timer);
    if (withReset) resetSocket(this.#socket);
    else this.#socket.destroySoon();
    // What waits may still leave, but not for ever: a peer that does not read would keep the socket.
    if (!this.#socket.destroyed) this.#context.wheel.arm(this.#timer, this.#context.timeouts.send);
    this.#context.closed(this);
  }
}

type Gauge = (typeof CELL)['waiting'] | (typeof CELL)['reading'] | (typeof CELL)['writing'];

/** Which gauge counts a connection, by state. */
const GAUGES: ReadonlyArray<Gauge | undefined> = [
  CELL.waiting,
  CELL.reading,
  CELL.writing,
  CELL.writing,
  CELL.writing,
  undefined,
];

function requestTimeout(code: string): GatewayError {
  return new GatewayError(code, 'Request timeout', { source: 'client', status: 408 });
}
