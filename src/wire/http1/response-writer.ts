/**
 * The response side of a client connection: frames one response after the other (RFC 9112 §6) and holds each to what
 * its head said. More octets than declared are cut off; fewer are told to the caller, who must not let the response
 * look whole.
 */
import type { Socket } from 'node:net';
import { NO_BODY, UNKNOWN_LENGTH } from '../message.ts';
import type { ResponseHead, Trailers } from '../message.ts';
import { type ResponseFraming, writeLastChunk, writeResponseHead } from './head-writer.ts';
import type { Http1RequestHead } from './head.ts';
import type { Output } from './output.ts';

const CONTINUE = Buffer.from('HTTP/1.1 100 Continue\r\n\r\n', 'latin1');

/** All framings but that of a 101; the connection closes, persists, or says so to a client that must be told. */
const FRAMINGS = [false, true].map((chunked) =>
  ['', 'close', 'keep-alive'].map((connection): ResponseFraming => ({ chunked, connection, upgrade: '' })),
);
const PLAIN = 0;
const CLOSE = 1;
const KEEP_ALIVE = 2;

export class ResponseWriter {
  /** The head of the final response was written. */
  responded = false;
  /** So was its end. */
  ended = false;
  readonly #socket: Socket;
  readonly #output: Output;
  /** Null when no head could be read. */
  #request: Http1RequestHead | null = null;
  #isHead = false;
  #chunked = false;
  /** Octets that the response may still have; `Infinity` when its head did not say. */
  #left = 0;
  #readAhead = 0;

  constructor(socket: Socket, output: Output) {
    this.#socket = socket;
    this.#output = output;
  }

  /** Makes ready for the response to `request`. */
  begin(request: Http1RequestHead): void {
    this.#start(request, request.method);
  }

  /** Makes ready for the answer to a head that is no request; of its method as much as could be read. */
  beginRefusal(method: string): void {
    this.#start(null, method);
  }

  #start(request: Http1RequestHead | null, method: string): void {
    this.#request = request;
    this.#isHead = method === 'HEAD';
    this.responded = this.ended = this.#chunked = false;
    this.#left = 0;
    this.#readAhead = 0;
  }

  /** Bytes that may wait for a slow client before `write` answers false. */
  set readAhead(bytes: number) {
    this.#readAhead = bytes;
  }

  /** The end of the body is the end of the connection, and nothing else tells a whole response from a cut one. */
  get endsAtClose(): boolean {
    return this.responded && this.#left === Infinity && !this.#chunked;
  }

  continue(): void {
    this.#output.bytes(CONTINUE);
    this.#output.flush();
  }

  inform(head: ResponseHead): void {
    if (this.#request?.version !== '1.1' || this.responded) return;
    writeResponseHead(this.#output, head, framing(false, PLAIN));
    this.#output.flush();
  }

  switchProtocols(head: ResponseHead): void {
    const upgrade = this.#request?.upgrade ?? '';
    writeResponseHead(this.#output, head, { chunked: false, connection: 'Upgrade', upgrade });
    this.#output.flush();
  }

  /** Writes the head; answers whether the connection persists, which it cannot when only its end ends the body. */
  head(head: ResponseHead, mayPersist: boolean): boolean {
    this.responded = true;
    const request = this.#request;
    const modern = request === null || request.version === '1.1';
    const bodiless = head.bodyLength === NO_BODY || this.#isHead;
    const unknown = head.bodyLength === UNKNOWN_LENGTH;
    this.#chunked = !bodiless && unknown && modern;
    this.#left = bodiless ? 0 : unknown ? Infinity : head.bodyLength;
    const persists = mayPersist && !this.endsAtClose;
    const framed =
      bodiless && unknown
        ? { status: head.status, reason: head.reason, headers: head.headers, bodyLength: NO_BODY }
        : head;
    const connection = persists ? (modern ? PLAIN : KEEP_ALIVE) : CLOSE;
    writeResponseHead(this.#output, framed, framing(this.#chunked, connection));
    return persists;
  }

  /** False: stop until the socket has drained. */
  write(chunk: Buffer): boolean {
    const data = chunk.length > this.#left ? chunk.subarray(0, this.#left) : chunk;
    this.#left -= data.length;
    if (data.length > 0) {
      if (this.#chunked) this.#output.chunk(data);
      else this.#output.bytes(data);
    }
    return !this.#socket.writableNeedDrain || this.#socket.writableLength <= this.#readAhead;
  }

  /** False: the body is shorter than the head said. */
  end(trailers: Trailers | null): boolean {
    if (this.#left > 0 && this.#left !== Infinity) return false;
    if (this.#chunked)
      writeLastChunk(this.#output, this.#request?.acceptsTrailers === true ? trailers : null);
    this.ended = true;
    return true;
  }
}

function framing(chunked: boolean, connection: number): ResponseFraming {
  return (FRAMINGS[chunked ? 1 : 0] as ResponseFraming[])[connection] as ResponseFraming;
}
