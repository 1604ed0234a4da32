/**
 * One connection to an upstream: connects, serves one exchange at a time, waits in the pool between them.
 *
 *     connecting ── onConnect ──> open ── send … response read to its end ──> idle (in the pool) ── taken ──> open
 *          └───────────────┴────────────────── error, time-out, cancel ──> closed
 *
 * Reads go into one buffer of the connection (`onread`), so that a read allocates nothing. Chunks are views of it; when
 * a client could not take them at once they keep the buffer, and the next read gets a new one.
 */
import { GatewayError } from '../../lib/gateway-error.ts';
import { WheelTimer } from '../../lib/timer-wheel.ts';
import type { TimerWheel } from '../../lib/timer-wheel.ts';
import { NO_BODY, UNKNOWN_LENGTH } from '../message.ts';
import type { ClientStream, ClientStreamHandler, OutgoingRequest, Trailers } from '../message.ts';
import { BodyReader } from './body-reader.ts';
import { INVALID_RESPONSE, upstreamFault } from './fault.ts';
import { FieldLines } from './field-lines.ts';
import { HeadBuffer } from './head-buffer.ts';
import { ResponseHeadParser } from './head-parser.ts';
import type { HeadLimits } from './head-parser.ts';
import { writeLastChunk, writeRequestHead } from './head-writer.ts';
import { interpretResponse } from './head.ts';
import type { Http1ResponseHead } from './head.ts';
import { Output } from './output.ts';
import type { Scratch } from './output.ts';
import { TunnelBuffers, largeBuffer } from '../read-buffers.ts';
import { SocketTunnel } from '../socket-tunnel.ts';
import type { Destination } from '../tls/destination.ts';
import { type UpstreamSocket, connectUpstream, handshakeFailure } from '../tls/upstream-connect.ts';

const NOTHING = Buffer.alloc(0);
/** A server may send this many interim responses to one request. */
const MAX_INTERIM = 16;

/** Milliseconds; Kong's connect_timeout, write_timeout, read_timeout of a service. */
export interface UpstreamTimeouts {
  readonly connect: number;
  readonly write: number;
  readonly read: number;
}

/** What all connections of a worker's pool share. */
export interface UpstreamContext {
  readonly wheel: TimerWheel;
  readonly scratch: Scratch;
  readonly limits: HeadLimits;
  /** A defect: something on the request path threw. */
  onDefect(error: unknown): void;
  /** The exchange is over and the connection may serve another. */
  release(connection: UpstreamConnection): void;
  /** The connection is gone. */
  closed(connection: UpstreamConnection): void;
}

const CONNECTING = 0;
const OPEN = 1;
const IDLE = 2;
const TUNNEL = 3;
const CLOSED = 4;

export class UpstreamConnection implements ClientStream {
  /** Requests sent so far. */
  requests = 0;
  readonly #context: UpstreamContext;
  readonly #socket: UpstreamSocket;
  readonly #encrypted: boolean;
  readonly #output: Output;
  readonly #timer: WheelTimer;
  readonly #body: BodyReader;
  readonly #headBuffer = new HeadBuffer();
  readonly #parser: ResponseHeadParser;
  #state = CONNECTING;
  #handler: ClientStreamHandler | null = null;
  #timeouts: UpstreamTimeouts;
  #head: Http1ResponseHead | null = null;
  #tunnel: SocketTunnel | null = null;
  #tunnelBuffers: TunnelBuffers | null = null;
  /** Octets of the last read. */
  #filled = 0;
  #method = '';
  #upgrade = '';
  #acceptsTrailers = false;
  #chunkedRequest = false;
  #requestEnded = false;
  #anyByte = false;
  #paused = false;
  /** TCP is there; with TLS the handshake may still be under way. */
  #connected = false;
  #interim = 0;
  /** The bytes of the read buffer belong to someone else now. */
  #held = false;
  /** The parser's field lines are those of a head that was handed on. */
  #fieldsTaken = false;
  #reading = false;

  constructor(to: Destination, timeouts: UpstreamTimeouts, context: UpstreamContext) {
    this.#context = context;
    this.#timeouts = timeouts;
    this.#parser = new ResponseHeadParser(new FieldLines(NOTHING), context.limits);
    this.#timer = new WheelTimer(() => this.#guard(() => this.#onTimeout()));
    this.#body = new BodyReader({
      bodyData: (chunk) => this.#handler?.onBody(chunk),
      bodyEnd: (trailers) => this.#onBodyEnd(trailers),
    });
    this.#encrypted = to.tls !== null;
    this.#socket = connectUpstream(to, {
      alpn: null,
      onReady: () => this.#guard(() => this.#onConnect()),
      onread: {
        buffer: () => this.#nextReadBuffer(),
        callback: (length, buffer) => this.#onRead(length, buffer as Buffer),
      },
    });
    this.#output = new Output(this.#socket, context.scratch, this.#encrypted);
    this.#socket.once('connect', () => (this.#connected = true));
    this.#socket.on('drain', () => this.#guard(() => this.#onDrain()));
    this.#socket.on('end', () => this.#guard(() => this.#onEnd()));
    this.#socket.on('error', (error) => this.#guard(() => this.#fail(error)));
    this.#socket.on('close', () => this.#guard(() => this.#onClose()));
    context.wheel.arm(this.#timer, timeouts.connect);
  }

  get ready(): boolean {
    return this.#state === OPEN;
  }

  get #resting(): boolean {
    return this.#state === IDLE;
  }

  get reused(): boolean {
    return this.requests > 1;
  }

  /** Takes the connection for one exchange, from the pool or while it connects. */
  take(handler: ClientStreamHandler, timeouts: UpstreamTimeouts): void {
    this.#handler = handler;
    this.#timeouts = timeouts;
    if (this.#state === IDLE) this.#state = OPEN;
  }

  /** Goes to wait for another exchange, for at most `idleMs`. */
  rest(idleMs: number): void {
    this.#state = IDLE;
    this.#context.wheel.arm(this.#timer, idleMs);
  }

  send(head: OutgoingRequest): void {
    this.requests++;
    this.#method = head.method;
    this.#upgrade = head.upgrade;
    this.#acceptsTrailers = head.acceptsTrailers;
    this.#chunkedRequest = head.bodyLength === UNKNOWN_LENGTH;
    this.#requestEnded = head.bodyLength === NO_BODY;
    this.#head = null;
    this.#anyByte = false;
    this.#interim = 0;
    writeRequestHead(this.#output, head);
  }

  write(chunk: Buffer): boolean {
    if (chunk.length > 0) {
      if (this.#chunkedRequest) this.#output.chunk(chunk);
      else this.#output.bytes(chunk);
    }
    return !this.#socket.writableNeedDrain;
  }

  end(trailers: Trailers | null): void {
    if (this.#chunkedRequest) writeLastChunk(this.#output, trailers);
    this.#requestEnded = true;
  }

  flush(): boolean {
    const held = this.#output.flush();
    this.#armExchange();
    return held;
  }

  pauseBody(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#socket.pause();
    this.#armExchange();
  }

  resumeBody(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#state === CLOSED) return;
    this.#armExchange();
    this.#socket.resume();
  }

  cancel(): void {
    this.#handler = null;
    this.#close();
  }

  /** Ends an idle connection. */
  close(): void {
    this.#close();
  }

  /** Runs an event's handling; a defect in it ends this exchange and no other. */
  #guard(event: () => void): void {
    const handler = this.#handler;
    try {
      event();
    } catch (error) {
      this.#onDefect(error, handler);
    }
  }

  #onDefect(cause: unknown, handler: ClientStreamHandler | null): void {
    this.#context.onDefect(cause);
    this.#handler = null;
    this.#held = true;
    this.#close();
    handler?.onError(
      new GatewayError('defect', 'An unexpected error occurred', { source: 'gateway', status: 500 }),
    );
  }

  /** Which time-out runs: for what is not yet sent, else for what is to come; none while the client is the slow one. */
  #armExchange(): void {
    if (this.#state !== OPEN) return;
    if (this.#unsent) this.#context.wheel.arm(this.#timer, this.#timeouts.write);
    else if (this.#paused || !(this.#requestEnded || this.#head !== null))
      this.#context.wheel.disarm(this.#timer);
    else this.#context.wheel.arm(this.#timer, this.#timeouts.read);
  }

  /** The upstream is slow to take what was written. TLS tells of small writes only later that they have left. */
  get #unsent(): boolean {
    return this.#encrypted ? this.#socket.writableNeedDrain : this.#socket.writableLength > 0;
  }

  #onConnect(): void {
    if (this.#state !== CONNECTING) return;
    this.#state = OPEN;
    this.#context.wheel.disarm(this.#timer);
    this.#handler?.onConnect();
  }

  #onDrain(): void {
    if (this.#tunnel !== null) return this.#tunnel.drained();
    this.#armExchange();
    if (this.#state === OPEN) this.#handler?.onDrain();
  }

  /** Called before the first read and after each one; null keeps the buffer. */
  #nextReadBuffer(): Buffer {
    const held = this.#held;
    this.#held = false;
    if (this.#tunnelBuffers !== null) return this.#tunnelBuffers.next(this.#filled, held) ?? KEEP_BUFFER;
    if (this.#reading && !held) return KEEP_BUFFER;
    this.#reading = true;
    return largeBuffer();
  }

  #onRead(length: number, buffer: Buffer): boolean {
    const handler = this.#handler;
    this.#filled = length;
    try {
      this.#readFrom(buffer, length);
    } catch (error) {
      this.#onDefect(error, handler);
    }
    return true;
  }

  #readFrom(buffer: Buffer, length: number): void {
    if (this.#tunnel !== null) {
      this.#held = this.#tunnel.deliver(buffer.subarray(0, length));
      return;
    }
    if (this.#state !== OPEN || this.#handler === null) {
      // Bytes that nobody asked for: the next response would begin with them.
      this.#close();
      return;
    }
    const handler = this.#handler;
    this.#anyByte = true;
    const headBefore = this.#head;
    const at = this.#consume(buffer, length, handler);
    if (this.#handler !== handler) {
      // The response has ended (or the handler gave up) in this read.
      if (at !== length && this.#resting) this.#close();
    } else if (this.#state === OPEN) {
      this.#armExchange();
    }
    if (this.#tunnel !== null) {
      // The head is written, what stood behind it was copied.
      this.#held = false;
      return;
    }
    this.#held = handler.onReadEnd();
    // Answered and delivered within one read, as nearly all are: the exchange is over and so are its field lines.
    if (!this.#held && this.#handler !== handler) this.#fieldsTaken = false;
    if (!this.#held && this.#handler === handler && this.#head !== headBefore) this.#head?.headers.detach();
  }

  /** Field lines for the next head: those of the last one may still be read by its exchange. */
  #renewFields(): void {
    this.#fieldsTaken = false;
    this.#parser.fields = new FieldLines(NOTHING);
  }

  /** Heads and body in one read; answers how far it came. */
  #consume(buffer: Buffer, length: number, handler: ClientStreamHandler): number {
    let at = 0;
    while (at < length && this.#state === OPEN && this.#handler === handler) {
      if (this.#head === null) {
        if (this.#fieldsTaken) this.#renewFields();
        if (!this.#headBuffer.read(this.#parser, buffer, at, length)) {
          if (this.#headBuffer.fault !== 0) this.#fault(this.#headBuffer.fault);
          return length;
        }
        at += this.#headBuffer.taken;
        this.#onHead(buffer, at, length);
      } else {
        const next = this.#body.read(buffer, at, length);
        if (next < 0) this.#fault(next);
        if (next < 0) return length;
        at = next;
      }
    }
    return at;
  }

  #onHead(buffer: Buffer, at: number, end: number): void {
    const head = interpretResponse(this.#parser, this.#method, this.#acceptsTrailers);
    if (typeof head === 'number') return this.#fault(head);
    this.#parser.reset();
    this.#headBuffer.reset();
    if (head.status === 101) return this.#onSwitch(head, buffer, at, end);
    if (head.status < 200) {
      if (++this.#interim > MAX_INTERIM) return this.#fault(0);
      // The gateway answers `Expect` itself, so an upstream's 100 says nothing to the client.
      if (head.status !== 100) this.#handler?.onInform(head);
      return;
    }
    this.#head = head;
    this.#fieldsTaken = true;
    if (head.bodyLength >= 0) this.#body.startLength(head.bodyLength);
    else if (head.chunked) this.#body.startChunked(this.#context.limits.headBytes);
    else if (head.bodyLength === UNKNOWN_LENGTH) this.#body.startUntilClose();
    const handler = this.#handler;
    handler?.onResponse(head);
    if (this.#handler === handler && (head.bodyLength === NO_BODY || head.bodyLength === 0))
      this.#onBodyEnd(null);
  }

  #onSwitch(head: Http1ResponseHead, buffer: Buffer, at: number, end: number): void {
    const handler = this.#handler;
    // Before the request was sent to its end, the rest of it would become the tunnel's first bytes.
    const asked = this.#upgrade !== '' && head.upgrade === this.#upgrade && this.#requestEnded;
    if (handler === null || !asked) return this.#fault(0);
    this.#state = TUNNEL;
    this.#handler = null;
    this.#context.wheel.remove(this.#timer);
    head.headers.detach();
    this.#tunnel = new SocketTunnel(this.#socket, at < end ? Buffer.from(buffer.subarray(at, end)) : null);
    this.#tunnelBuffers = new TunnelBuffers(buffer);
    this.#context.closed(this);
    handler.onUpgrade(head, this.#tunnel);
    // The head has left; a tunnel has no other.
    this.#parser.fields = NO_FIELDS;
  }

  #onBodyEnd(trailers: Trailers | null): void {
    const handler = this.#handler;
    const reusable =
      this.#head?.keepAlive === true &&
      this.#requestEnded &&
      this.#socket.writableLength === 0 &&
      this.#output.length === 0;
    this.#handler = null;
    if (this.#paused) this.#unpause();
    if (reusable) this.#context.release(this);
    else this.#close();
    handler?.onBodyEnd(trailers);
  }

  #unpause(): void {
    this.#paused = false;
    this.#socket.resume();
  }

  #onEnd(): void {
    if (this.#tunnel !== null) return this.#tunnel.ended();
    const handler = this.#handler;
    if (this.#state === OPEN && this.#head !== null && this.#body.finishAtClose()) {
      handler?.onReadEnd();
      return;
    }
    this.#fail(null);
  }

  #onClose(): void {
    if (this.#tunnel !== null) this.#tunnel.closed();
    else if (this.#state !== CLOSED) this.#fail(null);
  }

  #onTimeout(): void {
    const handler = this.#handler;
    const phase = this.#state === CONNECTING ? 'connect' : this.#socket.writableLength > 0 ? 'write' : 'read';
    this.#handler = null;
    this.#close();
    handler?.onError(
      new GatewayError(`upstream_${phase}_timeout`, 'The upstream server is timing out', {
        source: 'upstream',
        status: 504,
        retry: this.#anyByte ? 'never' : 'always',
        cause: `after ${this.#timeouts[phase]} ms`,
      }),
    );
  }

  #fault(fault: number): void {
    const handler = this.#handler;
    this.#handler = null;
    this.#close();
    handler?.onError(upstreamFault(fault));
  }

  /** The connection broke; `cause` null when the upstream closed it. */
  #fail(cause: Error | null): void {
    if (this.#tunnel !== null) return;
    const handler = this.#handler;
    const connecting = this.#state === CONNECTING;
    const stale = !this.#anyByte && this.reused;
    this.#handler = null;
    this.#close();
    if (handler === null) return;
    const shaking = connecting && this.#connected && this.#encrypted;
    const code = shaking
      ? 'upstream_tls_failed'
      : connecting
        ? 'upstream_connect_failed'
        : this.#anyByte
          ? 'upstream_closed_early'
          : 'upstream_closed';
    if (shaking) cause = handshakeFailure(cause);
    const retry = this.#anyByte ? 'never' : stale ? 'if-reused' : 'always';
    handler.onError(
      new GatewayError(code, INVALID_RESPONSE, { source: 'upstream', status: 502, retry, cause }),
    );
  }

  #close(): void {
    if (this.#state === CLOSED) return;
    this.#state = CLOSED;
    this.#body.stop();
    this.#output.discard();
    this.#context.wheel.remove(this.#timer);
    this.#socket.destroy();
    this.#context.closed(this);
  }
}

const NO_FIELDS = new FieldLines(NOTHING);

/** Not a buffer: tells `onread` to go on with the one that it has. */
const KEEP_BUFFER = null as unknown as Buffer;
