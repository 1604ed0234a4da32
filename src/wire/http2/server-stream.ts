/**
 * One request of an HTTP/2 connection, as the request path sees it.
 *
 *     begin ── fault ──> refused with a response
 *       └── onRequest ──> body in, response out ──> close ──> onFinish, or 499 when the client broke it off
 *
 * Credit: what `node:http2` has not been read is what its window holds back, so a paused body needs no memory beyond
 * `http2_body_preread_size`; what the client's window does not take waits in the stream and makes `write` answer false.
 * Chunks wait for the end of the event loop's turn, when all streams of a connection leave in one write: so small ones
 * are copied, and only large ones keep the buffer that they came in.
 *
 * Listeners are few and shared by all streams: `close` and `error` for each, those of a body only where there is one.
 */
import { constants } from 'node:http2';
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { GatewayError } from '../../lib/gateway-error.ts';
import { NO_BODY, UNKNOWN_LENGTH } from '../message.ts';
import type { Peer, ResponseHead, ServerStream, ServerStreamHandler, Trailers, Tunnel } from '../message.ts';
import { CELL } from '../../zone/worker-zone.ts';
import { isForbiddenTrailer } from '../http1/body-reader.ts';
import { clientFault } from '../http1/fault.ts';
import { Http2RequestHead, interpretRequest } from './server-head.ts';
import { fieldsObject, responseFields, withoutConnectionFields } from './server-response.ts';
import type { Http2ServerSession } from './server-session.ts';
import { Stall } from './server-stall.ts';
import { breakOff, Http2Tunnel } from './server-tunnel.ts';
import { acceptOf, newKey } from './websocket-key.ts';

/** Chunks up to this size are copied rather than kept with the buffer that they were read into. */
const COPY_BYTES = 16 * 1024;

const ATTACHED: unique symbol = Symbol('request of a stream');
/** A stream that knows its request: so its listeners need no closures. */
type Attached = ServerHttp2Stream & { [ATTACHED]?: Http2ServerStream };

const END = { endStream: true };
const TRAILERS = { waitForTrailers: true };

export class Http2ServerStream implements ServerStream {
  readonly peer: Peer;
  readonly #session: Http2ServerSession;
  readonly #stream: ServerHttp2Stream;
  #head: Http2RequestHead | null = null;
  #handler: ServerStreamHandler | null = null;
  #isHead = false;
  /** The request has been read to its end. */
  #bodyDone: boolean;
  #reading = false;
  #paused = false;
  #trailersIn: Trailers | null = null;
  #responded = false;
  #ended = false;
  #over = false;
  /** Octets that the response may still have. */
  #left = 0;
  #readAhead = 0;
  #withTrailers = false;
  #trailersOut: Trailers | null = null;
  #held = false;
  #waitsDrain = false;
  #key = '';
  #tunnel: Http2Tunnel | null = null;
  #stall: Stall | null = null;
  /** Octets of the body that came. */
  #received = 0;

  constructor(stream: ServerHttp2Stream, session: Http2ServerSession, ended: boolean) {
    this.#stream = stream;
    this.#session = session;
    this.peer = session.peer;
    this.#bodyDone = ended;
    (stream as Attached)[ATTACHED] = this;
    stream.on('close', onClose);
    stream.on('error', onError);
    if (ended) return;
    stream.on('end', onEnd);
    stream.on('trailers', onTrailers);
  }

  /** Takes the head to the request path, or refuses it. */
  begin(raw: readonly string[]): void {
    const session = this.#session;
    const { context } = session;
    try {
      const head = new Http2RequestHead(raw);
      const known = { limits: context.requestLimits, knownAuthority: session.knownAuthority };
      const fault = interpretRequest(head, raw, this.#bodyDone, known);
      session.payload += head.bytes;
      this.#isHead = head.method === 'HEAD';
      this.#head = head;
      if (fault !== 0) return this.#refuse(fault, head);
      session.knownAuthority = head.authority;
      if (head.upgrade !== '') head.headers.set('Sec-WebSocket-Key', (this.#key = newKey()));
      else if (!this.#bodyDone && head.bodyLength === 0) this.#stream.resume();
      context.onRequest(this, head);
    } catch (error) {
      this.#defect(error);
    }
  }

  #refuse(fault: number, { method, rawTarget, headers }: Http2RequestHead): void {
    const requestLine = `${method} ${rawTarget} HTTP/2.0`;
    this.#session.context.onMalformed(this, clientFault(fault), { requestLine, headers });
  }

  // ServerStream

  handle(handler: ServerStreamHandler): void {
    this.#handler = handler;
  }

  readBody(): void {
    if (this.#reading || this.#bodyDone || this.#over) return;
    this.#reading = true;
    const stream = this.#stream;
    if (this.#head?.expectsContinue === true && !this.#responded)
      stream.additionalHeaders({ ':status': 100 });
    stream.on('data', onData);
    stream.on('aborted', onClose);
    // An empty body ends before anybody reads it.
    if (stream.readableEnded) this.bodyEnd();
  }

  pauseBody(): void {
    this.#paused = true;
    if (this.#reading && !this.#over) this.#stream.pause();
  }

  resumeBody(): void {
    this.#paused = false;
    if (this.#reading && !this.#over) this.#stream.resume();
  }

  inform(head: ResponseHead): void {
    if (this.#gone || this.#responded) return;
    this.#stream.additionalHeaders({ ...fieldsObject(flat(head)), ':status': head.status });
  }

  lastResponse(): void {
    // Other streams of the connection have nothing to do with this one.
  }

  respond(head: ResponseHead): void {
    if (this.#responded || this.#gone) return;
    this.#responded = true;
    const { status, bodyLength } = head;
    // Only a 101 accepts an extended CONNECT: any 2xx would tell the client that there is a tunnel.
    if (status > 599 || (this.#key !== '' && status < 300)) return this.#badGateway();
    const bodiless = bodyLength === NO_BODY || bodyLength === 0 || this.#isHead;
    this.#left = bodiless ? 0 : bodyLength === UNKNOWN_LENGTH ? Infinity : bodyLength;
    this.#withTrailers = this.#left === Infinity && this.#head?.acceptsTrailers === true;
    const options = bodiless ? END : this.#withTrailers ? TRAILERS : undefined;
    if (this.#withTrailers) this.#stream.on('wantTrailers', onWantTrailers);
    this.#sendHead(responseFields(head), options);
  }

  #sendHead(fields: string[], options: { endStream?: boolean; waitForTrailers?: boolean } | undefined): void {
    try {
      this.#stream.respond(fields, options);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ERR_HTTP2_INVALID_CONNECTION_HEADERS') throw error;
      this.#stream.respond(withoutConnectionFields(fields), options);
    }
  }

  /** A response that HTTP/2 has no words for. */
  #badGateway(): void {
    this.#left = 0;
    this.#stream.respond([':status', '502', 'content-length', '0'], END);
  }

  write(chunk: Buffer): boolean {
    if (this.#gone) return true;
    const data = chunk.length > this.#left ? chunk.subarray(0, this.#left) : chunk;
    if (data.length === 0) return true;
    this.#left -= data.length;
    this.#session.payload += data.length;
    const copied = data.length <= COPY_BYTES;
    if (!copied) this.#held = true;
    const stream = this.#stream;
    if (stream.write(copied ? Buffer.from(data) : data)) return true;
    if (stream.writableLength <= this.#readAhead) return true;
    if (!this.#waitsDrain) {
      this.#waitsDrain = true;
      stream.on('drain', onDrain);
    }
    return false;
  }

  end(trailers: Trailers | null): void {
    if (this.#gone || this.#ended) return;
    if (this.#left > 0 && this.#left !== Infinity) return this.reset();
    this.#ended = true;
    this.#trailersOut = trailers;
    if (!this.#bodyDone) this.#endUnread();
    if (!this.#stream.writableEnded) this.#stream.end();
  }

  /** Answered before its body was read: the client is told that nobody wants the rest (RFC 9113 §8.1). */
  #endUnread(): void {
    if (!this.#withTrailers) this.#stream.once('finish', closeUnread);
  }

  flush(): boolean {
    const held = this.#held;
    this.#held = false;
    return held;
  }

  readAhead(bytes: number): void {
    this.#readAhead = bytes;
  }

  reset(): void {
    if (this.#over) return;
    this.#session.context.zone.increment(CELL.broken);
    this.#handler = null;
    breakOff(this.#stream);
    this.#leave();
  }

  upgrade(head: ResponseHead): Tunnel {
    const { headers } = head;
    const accepted = headers.get('sec-websocket-accept') === acceptOf(this.#key);
    headers.remove('sec-websocket-accept');
    this.#responded = true;
    this.#handler = null;
    const tunnel = new Http2Tunnel(this.#stream, this.#session);
    this.#tunnel = tunnel;
    if (this.#gone) tunnel.closed();
    else if (accepted) this.#sendHead([':status', '200', ...flat(head)], undefined);
    else {
      this.#badGateway();
      tunnel.finish();
    }
    return tunnel;
  }

  // Told by the stream and the session.

  get #gone(): boolean {
    return this.#over || this.#stream.destroyed || this.#stream.closed;
  }

  /** From the session's look: has something that must move stood still for too long? */
  look(now: number): void {
    const stream = this.#stream;
    if (this.#over || this.#tunnel !== null) return;
    const { timeouts } = this.#session.context;
    const waiting = stream.writableLength;
    const sends = waiting > 0 || this.#ended;
    const reads = this.#reading && !this.#bodyDone && !this.#paused;
    if (!sends && !reads) {
      this.#stall = null;
      return;
    }
    this.#stall ??= new Stall(now);
    const still = this.#stall.stands(now, sends ? waiting : -1, sends ? 0 : this.#received);
    if (still < (sends ? timeouts.send : timeouts.body)) return;
    if (sends) this.#cutSlow();
    else this.#bodyFault(requestTimeout());
  }

  /** A client that does not take its response: it is as gone as one that closed. */
  #cutSlow(): void {
    breakOff(this.#stream);
    this.gone();
  }

  #bodyFault(error: GatewayError): void {
    const handler = this.#handler;
    this.#bodyDone = true;
    this.#stream.pause();
    if (!this.#ended) handler?.onRequestError(error);
    if (this.#ended) this.#endUnread();
  }

  /** The stream is closed: properly, or broken off by the client (or by nghttp2, for a body that broke its word). */
  gone(): void {
    if (this.#over) return;
    const handler = this.#handler;
    const finished = this.#ended && this.#stream.rstCode === constants.NGHTTP2_NO_ERROR;
    this.#leave();
    this.#tunnel?.closed();
    if (finished) handler?.onFinish();
    else handler?.onRequestError(clientGone(this.#stream.rstCode));
  }

  #leave(): void {
    this.#over = true;
    this.#handler = null;
    this.#session.ended(this);
  }

  /** Runs an event; a defect in it ends this stream and no other. */
  guard(event: (request: Http2ServerStream) => void): void {
    try {
      event(this);
    } catch (error) {
      this.#defect(error);
    }
  }

  #defect(error: unknown): void {
    this.#session.context.onDefect(error);
    const handler = this.#handler;
    breakOff(this.#stream);
    if (!this.#over) this.#leave();
    try {
      handler?.onRequestError(clientGone(constants.NGHTTP2_INTERNAL_ERROR));
    } catch (second) {
      this.#session.context.onDefect(second);
    }
  }

  bodyData(chunk: Buffer): void {
    this.#received += chunk.length;
    this.#session.payload += chunk.length;
    if (this.#ended) return;
    this.#handler?.onBody(chunk);
    this.#handler?.onReadEnd();
  }

  bodyEnd(): void {
    if (this.#bodyDone || (!this.#reading && !this.#ended)) return;
    this.#bodyDone = true;
    this.#stall = null;
    if (this.#ended) return;
    this.#handler?.onBodyEnd(this.#trailersIn);
    this.#handler?.onReadEnd();
  }

  /** A trailer section, which ends the body; what frames, routes or names a client means nothing here. */
  trailers(raw: readonly string[]): void {
    const kept: string[] = [];
    for (let at = 0; at < raw.length; at += 2) {
      const name = raw[at] ?? '';
      if (!name.startsWith(':') && !isForbiddenTrailer(name)) kept.push(name, raw[at + 1] ?? '');
    }
    if (kept.length > 0) this.#trailersIn = kept;
  }

  drained(): void {
    this.#waitsDrain = false;
    this.#stream.removeListener('drain', onDrain);
    if (!this.#ended) this.#handler?.onDrain();
  }

  sendTrailers(): void {
    const stream = this.#stream;
    if (stream.destroyed || stream.closed) return;
    stream.sendTrailers(this.#trailersOut === null ? {} : fieldsObject(this.#trailersOut));
    if (!this.#bodyDone) setImmediate(closeUnread.bind(stream));
  }
}

function flat({ headers }: ResponseHead): string[] {
  const fields: string[] = [];
  headers.each((name, value) => fields.push(name, value));
  return fields;
}

// One function for each event of all streams.

function onClose(this: Attached): void {
  this[ATTACHED]?.guard((request) => request.gone());
}

function onError(): void {
  // `close` follows, and the code says all.
}

function onData(this: Attached, chunk: Buffer): void {
  this[ATTACHED]?.guard((request) => request.bodyData(chunk));
}

function onEnd(this: Attached): void {
  this[ATTACHED]?.guard((request) => request.bodyEnd());
}

function onTrailers(this: Attached, _: IncomingHttpHeaders, __: number, raw: readonly string[]): void {
  this[ATTACHED]?.guard((request) => request.trailers(raw));
}

function onDrain(this: Attached): void {
  this[ATTACHED]?.guard((request) => request.drained());
}

function onWantTrailers(this: Attached): void {
  this[ATTACHED]?.guard((request) => request.sendTrailers());
}

function closeUnread(this: ServerHttp2Stream): void {
  if (!this.closed) this.close(constants.NGHTTP2_NO_ERROR);
}

function clientGone(rstCode: number): GatewayError {
  const cause = rstCode === constants.NGHTTP2_PROTOCOL_ERROR ? 'the body broke its word' : `reset ${rstCode}`;
  return new GatewayError('client_closed_request', 'client closed the stream', {
    source: 'client',
    status: 499,
    cause,
  });
}

function requestTimeout(): GatewayError {
  return new GatewayError('client_body_timeout', 'Request timeout', { source: 'client', status: 408 });
}
