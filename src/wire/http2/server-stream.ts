/**
 * One request of an HTTP/2 connection, as the request path sees it.
 *
 *     begin ── fault ──> refused with a response
 *       └── onRequest ──> body in, response out ──> close ──> onFinish, or 499 when the client broke it off
 *
 * Credit: what `node:http2` has not been read is what its window holds back, so a paused body needs no memory beyond
 * `http2_body_preread_size`; what the client's window does not take waits in the stream and makes `write` answer false.
 */
import type { ServerHttp2Stream } from 'node:http2';
import { GatewayError } from '../../lib/gateway-error.ts';
import type { Peer, ResponseHead, ServerStream, ServerStreamHandler, Trailers, Tunnel } from '../message.ts';
import { CELL } from '../../zone/worker-zone.ts';
import { isForbiddenTrailer } from '../http1/body-reader.ts';
import { clientFault } from '../http1/fault.ts';
import { constants } from './codes.ts';
import { Http2RequestHead, interpretRequest } from './server-head.ts';
import {
  attach,
  breakOff,
  closeUnread,
  closeWhenFinished,
  discardBody,
  listenBody,
  listenDrain,
  type StreamEvents,
} from './server-listeners.ts';
import { Http2Response } from './server-response.ts';
import type { Http2ServerSession } from './server-session.ts';
import { Stall } from './server-stall.ts';
import { Http2Tunnel } from './server-tunnel.ts';
import { acceptOf, newKey } from './websocket-key.ts';

const MIB = 2 ** 20;

export class Http2ServerStream implements ServerStream, StreamEvents {
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
  /** Answered before it was read to its end. */
  #unread = false;
  #trailersIn: Trailers | null = null;
  readonly #response: Http2Response;
  #over = false;
  #waitsDrain = false;
  #key = '';
  #tunnel: Http2Tunnel | null = null;
  #stall: Stall | null = null;
  /** Octets of the body that came. */
  #received = 0;
  /** Of them the request path keeps these. */
  #kept = 0;

  constructor(stream: ServerHttp2Stream, session: Http2ServerSession, ended: boolean) {
    this.#stream = stream;
    this.#session = session;
    this.peer = session.peer;
    this.#bodyDone = ended;
    this.#response = new Http2Response(stream);
    attach(stream, this, !ended);
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
    if (this.#head?.expectsContinue === true && !this.#response.responded)
      stream.additionalHeaders({ ':status': 100 });
    listenBody(stream);
    // An empty body ends before anybody reads it.
    if (stream.readableEnded) this.bodyEnd();
  }

  pauseBody(): void {
    this.#paused = true;
    if (this.#reading && !this.#over && !this.#response.ended) this.#stream.pause();
  }

  resumeBody(): void {
    this.#paused = false;
    if (this.#reading && !this.#over) this.#stream.resume();
  }

  inform(head: ResponseHead): void {
    if (!this.#gone && !this.#response.responded) this.#response.inform(head);
  }

  lastResponse(): void {
    // Other streams of the connection have nothing to do with this one.
  }

  respond(head: ResponseHead): void {
    if (this.#response.responded || this.#gone) return;
    // Only a 101 accepts an extended CONNECT: any 2xx would tell the client that there is a tunnel.
    if (head.status > 599 || (this.#key !== '' && head.status < 300)) return this.#response.badGateway();
    this.#response.head(head, this.#isHead, this.#head?.acceptsTrailers === true);
  }

  write(chunk: Buffer): boolean {
    if (this.#gone) return true;
    this.#session.payload += this.#response.write(chunk);
    if (this.#response.credit) return true;
    if (!this.#waitsDrain) {
      this.#waitsDrain = true;
      listenDrain(this.#stream);
    }
    return false;
  }

  end(trailers: Trailers | null): void {
    const response = this.#response;
    if (this.#gone || response.ended) return;
    if (!response.end(trailers)) return this.reset();
    if (!this.#bodyDone) this.#discard();
  }

  flush(): boolean {
    return this.#response.takeHeld();
  }

  /** Its streams share what a connection may hold: or a client that reads nothing had the memory of a hundred clients. */
  readAhead(bytes: number): void {
    this.#response.readAhead = Math.min(bytes, this.#session.context.http2.readAhead);
  }

  keeps(bytes: number): boolean {
    if (this.#over) return true;
    const session = this.#session;
    session.kept += bytes - this.#kept;
    this.#kept = bytes;
    return session.kept <= session.context.http2.sessionMemory * MIB;
  }

  reset(code = 0): void {
    if (this.#over) return;
    this.#session.context.zone.increment(CELL.broken);
    this.#handler = null;
    breakOff(this.#stream, code);
    this.#leave();
  }

  upgrade(head: ResponseHead): Tunnel {
    const { headers } = head;
    const accepted = headers.get('sec-websocket-accept') === acceptOf(this.#key);
    headers.remove('sec-websocket-accept');
    this.#handler = null;
    const tunnel = new Http2Tunnel(this.#stream, this.#session);
    this.#tunnel = tunnel;
    if (this.#gone) tunnel.closed();
    else if (accepted) this.#response.accept(head);
    else {
      this.#response.badGateway();
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
    if (this.#unread) closeUnread(stream);
    const { timeouts } = this.#session.context;
    const waiting = stream.writableLength;
    const sends = waiting > 0 || this.#response.ended;
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
    if (!this.#response.ended) handler?.onRequestError(error);
    if (this.#response.ended) this.#discard();
  }

  /** The response ends before the request, of which nobody wants the rest. */
  #discard(): void {
    this.#unread = true;
    discardBody(this.#stream);
    closeWhenFinished(this.#stream);
  }

  /** The stream is closed: properly, or broken off by the client (or by nghttp2, for a body that broke its word). */
  gone(): void {
    if (this.#over) return;
    const handler = this.#handler;
    const finished = this.#response.ended && this.#stream.rstCode === constants.NGHTTP2_NO_ERROR;
    this.#leave();
    this.#tunnel?.closed();
    if (finished) return handler?.onFinish();
    this.#session.context.zone.increment(CELL.http2Resets);
    handler?.onRequestError(clientGone(this.#stream.rstCode));
  }

  #leave(): void {
    this.keeps(0);
    this.#over = true;
    this.#handler = null;
    this.#session.ended(this);
  }

  /** Runs an event; a defect in it ends this stream and no other. */
  guard(event: (request: StreamEvents) => void): void {
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
    if (this.#response.ended) return;
    this.#handler?.onBody(chunk);
    this.#handler?.onReadEnd();
  }

  bodyEnd(): void {
    if (this.#bodyDone || (!this.#reading && !this.#response.ended)) return;
    this.#bodyDone = true;
    this.#stall = null;
    if (this.#response.ended) return;
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
    if (!this.#response.ended) this.#handler?.onDrain();
  }

  sendTrailers(): void {
    const stream = this.#stream;
    if (stream.destroyed || stream.closed) return;
    this.#response.sendTrailers();
    // They leave in the next turn.
    if (this.#unread) setImmediate(closeUnread, stream);
  }
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
