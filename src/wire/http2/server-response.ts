/**
 * The response side of a stream: from a head to the flat list of fields that `node:http2` sends, then the body.
 *
 * Chunks wait for the end of the event loop's turn, when all streams of a connection leave in one write: so small ones
 * are copied, and only large ones keep the buffer that they came in.
 */
import type { ServerHttp2Stream, ServerStreamResponseOptions } from 'node:http2';
import { NO_BODY, UNKNOWN_LENGTH } from '../message.ts';
import type { ResponseHead, Trailers } from '../message.ts';
import { listenTrailers } from './server-listeners.ts';

/** Fields that concern one HTTP/1.1 connection (RFC 9113 §8.2.2). */
const CONNECTION_SPECIFIC: ReadonlySet<string> = new Set([
  'connection',
  'upgrade',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'te',
]);

/**
 * `:status` first; a length that the head knows and no field says is added, one that says another goes. Connection-specific
 * fields are left in: the wire of an upstream has taken them out, and `node:http2` refuses what it finds all the same
 * (then `withoutConnectionFields` helps).
 */
function responseFields({ status, headers, bodyLength }: ResponseHead): string[] {
  const fields = [':status', String(status)];
  if (bodyLength !== NO_BODY) {
    const declared = headers.get('content-length');
    const length = bodyLength === UNKNOWN_LENGTH ? undefined : String(bodyLength);
    if (declared !== undefined && (declared !== length || headers.repeats('content-length')))
      headers.remove('content-length');
    if (length !== undefined && declared !== length) fields.push('content-length', length);
  }
  headers.each((name, value) => fields.push(name, value));
  return fields;
}

function withoutConnectionFields(fields: readonly string[]): string[] {
  const kept: string[] = [];
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at] ?? '';
    if (!CONNECTION_SPECIFIC.has(name.toLowerCase())) kept.push(name, fields[at + 1] ?? '');
  }
  return kept;
}

/** For the calls of `node:http2` that only take an object. */
function fieldsObject(fields: Trailers): Record<string, string | string[]> {
  const object: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>;
  for (let at = 0; at < fields.length; at += 2) {
    const name = (fields[at] ?? '').toLowerCase();
    const value = fields[at + 1] ?? '';
    const present = object[name];
    if (CONNECTION_SPECIFIC.has(name) || name.startsWith(':')) continue;
    if (present === undefined) object[name] = value;
    else if (typeof present === 'string') object[name] = [present, value];
    else present.push(value);
  }
  return object;
}

/** Chunks up to this size are copied rather than kept with the buffer that they were read into. */
const COPY_BYTES = 16 * 1024;
const END = { endStream: true };
const TRAILERS = { waitForTrailers: true };

/** The response of one stream, held to what its head said: more octets are cut off, fewer are told to the caller. */
export class Http2Response {
  responded = false;
  ended = false;
  /** Trailers may follow, and the stream asks for them when the body has left. */
  withTrailers = false;
  trailers: Trailers | null = null;
  /** Octets that may wait for a slow client before `write` answers false. */
  readAhead = 0;
  readonly #stream: ServerHttp2Stream;
  #left = 0;
  #held = false;

  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream;
  }

  head(head: ResponseHead, isHead: boolean, acceptsTrailers: boolean): void {
    const { bodyLength } = head;
    this.responded = true;
    const bodiless = bodyLength === NO_BODY || bodyLength === 0 || isHead;
    this.#left = bodiless ? 0 : bodyLength === UNKNOWN_LENGTH ? Infinity : bodyLength;
    // Also behind a length: a gRPC response may have both.
    this.withTrailers = !bodiless && acceptsTrailers;
    if (this.withTrailers) listenTrailers(this.#stream);
    this.#send(responseFields(head), bodiless ? END : this.withTrailers ? TRAILERS : undefined);
  }

  /** A tunnel's 200. */
  accept(head: ResponseHead): void {
    this.responded = true;
    this.#send(responseFields({ ...head, status: 200, bodyLength: NO_BODY }), undefined);
  }

  /** In place of a response that HTTP/2 has no words for. */
  badGateway(): void {
    this.responded = true;
    this.#left = 0;
    this.#stream.respond([':status', '502', 'content-length', '0'], END);
  }

  inform({ status, headers }: ResponseHead): void {
    const fields: string[] = [];
    headers.each((name, value) => fields.push(name, value));
    this.#stream.additionalHeaders({ ...fieldsObject(fields), ':status': status });
  }

  /** Answers how many octets were taken of it. */
  write(chunk: Buffer): number {
    const data = chunk.length > this.#left ? chunk.subarray(0, this.#left) : chunk;
    if (data.length === 0) return 0;
    this.#left -= data.length;
    const copied = data.length <= COPY_BYTES;
    if (!copied) this.#held = true;
    this.#stream.write(copied ? Buffer.from(data) : data);
    return data.length;
  }

  /** The client takes more, or may be read ahead of. */
  get credit(): boolean {
    return !this.#stream.writableNeedDrain || this.#stream.writableLength <= this.readAhead;
  }

  /** False: the body is shorter than the head said. */
  end(trailers: Trailers | null): boolean {
    if (this.#left > 0 && this.#left !== Infinity) return false;
    this.ended = true;
    this.trailers = trailers;
    if (!this.#stream.writableEnded) this.#stream.end();
    return true;
  }

  sendTrailers(): void {
    this.#stream.sendTrailers(this.trailers === null ? {} : fieldsObject(this.trailers));
  }

  /** True once after a large chunk was written: it is still referenced. */
  takeHeld(): boolean {
    const held = this.#held;
    this.#held = false;
    return held;
  }

  #send(fields: string[], options: ServerStreamResponseOptions | undefined): void {
    try {
      this.#stream.respond(fields, options);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ERR_HTTP2_INVALID_CONNECTION_HEADERS') throw error;
      this.#stream.respond(withoutConnectionFields(fields), options);
    }
  }
}
