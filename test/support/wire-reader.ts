/**
 * Drives the head parsers and the body reader the way the connections do, without sockets: bytes go in, cut anywhere,
 * and whole messages come out. Unit tables, the comparison with Node's parser and the fuzz run all read through it.
 *
 * Each piece is given in a larger buffer of junk, and a response's piece is overwritten when it was read, as the read
 * buffer of an upstream connection is: a parser that looks past its end or keeps a view too long reads junk here.
 */
import { BodyReader } from '../../src/wire/http1/body-reader.ts';
import * as Fault from '../../src/wire/http1/fault.ts';
import { FieldLines } from '../../src/wire/http1/field-lines.ts';
import { HeadBuffer } from '../../src/wire/http1/head-buffer.ts';
import { RequestHeadParser, ResponseHeadParser } from '../../src/wire/http1/head-parser.ts';
import type { HeadLimits } from '../../src/wire/http1/head-parser.ts';
import { interpretRequest, interpretResponse } from '../../src/wire/http1/head.ts';
import type { Http1RequestHead, Http1ResponseHead } from '../../src/wire/http1/head.ts';
import { NO_BODY, UNKNOWN_LENGTH } from '../../src/wire/message.ts';
import type { BodyLength } from '../../src/wire/message.ts';

export const LIMITS: HeadLimits = { lineBytes: 8192, headBytes: 33_792, lines: 200 };

const FAULT_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(Fault).flatMap(([name, value]) =>
    typeof value === 'number' && value < 0 ? [[value, name] as const] : [],
  ),
);

/** `MALFORMED` for -2 and so on. */
export function faultName(fault: number): string {
  return FAULT_NAMES.get(fault) ?? `fault ${fault}`;
}

/** Bytes of a latin1 string. */
export function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

/** `bytes` cut at the given offsets; offsets outside and repeated ones are ignored. */
export function piecesOf(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  let from = 0;
  for (const cut of cuts.toSorted((a, b) => a - b)) {
    if (cut <= from || cut >= bytes.length) continue;
    pieces.push(bytes.subarray(from, cut));
    from = cut;
  }
  pieces.push(bytes.subarray(from));
  return pieces;
}

export function everyByte(bytes: Buffer): Buffer[] {
  return Array.from(bytes, (byte) => Buffer.from([byte]));
}

const JUNK = bytesOf('\r\nX-Junk: 1\r\n\r\n0\r\n\r\n');

/** The piece between junk. */
function surrounded(piece: Buffer): { buffer: Buffer; at: number; end: number } {
  const at = JUNK.length;
  return { buffer: Buffer.concat([JUNK, piece, JUNK]), at, end: at + piece.length };
}

/** A message as it was read. Header lines are all that came, before the wire took out its own. */
export interface ReadMessage {
  /** Method and target as received, or status and reason. */
  readonly start: readonly [string, string];
  readonly version: string;
  readonly lines: ReadonlyArray<readonly [string, string]>;
  readonly head: Http1RequestHead | Http1ResponseHead;
  readonly bodyLength: BodyLength;
  readonly body: Buffer;
  readonly trailers: readonly string[];
}

export interface Reading {
  /** Complete messages. */
  readonly messages: readonly ReadMessage[];
  /** A fault's name; `incomplete` when more must come; `closed` when the last message ends its connection; or `idle`. */
  readonly ending: string;
  /** The head of a message whose body did not end. */
  readonly partial: ReadMessage | null;
}

export interface ReadOptions {
  readonly limits?: HeadLimits;
  /** Methods of the requests that responses answer; `GET` beyond them. */
  readonly methods?: readonly string[];
  /** The peer closes behind the bytes: this ends a body that only the close ends. */
  readonly closes?: boolean;
}

function snapshot(fields: FieldLines): Array<readonly [string, string]> {
  const lines: Array<readonly [string, string]> = [];
  fields.each((name, value) => lines.push([name, value]));
  return lines;
}

abstract class Reader<Parser extends RequestHeadParser | ResponseHeadParser> {
  readonly messages: ReadMessage[] = [];
  ending = 'idle';
  protected current: Omit<ReadMessage, 'body' | 'trailers'> | null = null;
  protected readonly options: ReadOptions;
  protected readonly parser: Parser;
  readonly #headBuffer = new HeadBuffer();
  #body: Buffer[] = [];
  #started = false;
  readonly #reader = new BodyReader({
    bodyData: (chunk) => void this.#body.push(Buffer.from(chunk)),
    bodyEnd: (trailers) => this.finish(trailers ?? []),
  });

  constructor(parser: Parser, options: ReadOptions) {
    this.parser = parser;
    this.options = options;
  }

  get stopped(): boolean {
    return this.ending !== 'idle' && this.ending !== 'incomplete';
  }

  feed(piece: Buffer): void {
    const { buffer, at: start, end } = surrounded(piece);
    for (let at = start; at < end && !this.stopped;) {
      if (this.current === null) {
        this.#started = true;
        if (!this.#headBuffer.read(this.parser, buffer, at, end)) {
          if (this.#headBuffer.fault !== 0) this.ending = faultName(this.#headBuffer.fault);
          break;
        }
        at += this.#headBuffer.taken;
        this.#headBuffer.reset();
        this.interpret();
      } else {
        const next = this.#reader.read(buffer, at, end);
        if (next < 0) this.ending = faultName(next);
        if (next <= at) break;
        at = next;
      }
    }
    this.afterPiece(buffer);
  }

  close(): Reading {
    const partial = this.current === null ? null : { ...this.current, body: this.body, trailers: [] };
    if (!this.stopped && this.options.closes === true && this.current !== null) this.#reader.finishAtClose();
    if (!this.stopped && (this.current !== null || this.#started)) this.ending = 'incomplete';
    return { messages: this.messages, ending: this.ending, partial: this.current === null ? null : partial };
  }

  protected get body(): Buffer {
    return Buffer.concat(this.#body);
  }

  protected fault(fault: number): void {
    this.ending = faultName(fault);
  }

  protected begin(message: Omit<ReadMessage, 'body' | 'trailers'>, chunked: boolean): void {
    this.current = message;
    this.#body = [];
    const { bodyLength } = message;
    if (bodyLength === NO_BODY || bodyLength === 0) this.finish([]);
    else if (bodyLength > 0) this.#reader.startLength(bodyLength);
    else if (chunked) this.#reader.startChunked((this.options.limits ?? LIMITS).headBytes);
    else this.#reader.startUntilClose();
  }

  protected finish(trailers: readonly string[]): void {
    const message = this.current;
    if (message === null) throw new Error('the body ended twice');
    this.current = null;
    this.#started = false;
    this.messages.push({ ...message, body: this.body, trailers });
    this.parser.reset();
    if (!message.head.keepAlive) this.ending = 'closed';
    if (message.head.upgrade !== '' && message.start[0] === '101') this.ending = 'upgraded';
  }

  protected abstract interpret(): void;
  protected abstract afterPiece(buffer: Buffer): void;
}

class RequestReader extends Reader<RequestHeadParser> {
  #lastHost = '';

  constructor(options: ReadOptions) {
    super(new RequestHeadParser(new FieldLines(Buffer.alloc(0)), options.limits ?? LIMITS), options);
  }

  protected override interpret(): void {
    const { parser } = this;
    const lines = snapshot(parser.fields);
    const head = interpretRequest(parser, this.#lastHost);
    if (typeof head === 'number') return this.fault(head);
    this.#lastHost = head.authority;
    const { bodyLength } = head;
    const start = [parser.method, parser.rawTarget] as const;
    parser.fields = new FieldLines(Buffer.alloc(0));
    this.begin({ start, version: parser.version, lines, head, bodyLength }, bodyLength === UNKNOWN_LENGTH);
  }

  protected override afterPiece(): void {}
}

class ResponseReader extends Reader<ResponseHeadParser> {
  #answered = 0;

  constructor(options: ReadOptions) {
    super(new ResponseHeadParser(new FieldLines(Buffer.alloc(0)), options.limits ?? LIMITS), options);
  }

  protected override interpret(): void {
    const { parser } = this;
    const lines = snapshot(parser.fields);
    const method = this.options.methods?.[this.#answered] ?? 'GET';
    const head = interpretResponse(parser, method, false);
    if (typeof head === 'number') return this.fault(head);
    if (head.status >= 200) this.#answered++;
    const { bodyLength } = head;
    const start = [String(head.status), head.reason] as const;
    parser.fields = new FieldLines(Buffer.alloc(0));
    if (head.status < 200) head.keepAlive = true;
    this.begin({ start, version: parser.version, lines, head, bodyLength }, head.chunked);
  }

  /** As the upstream connection: heads leave the read buffer before it is read into again. */
  protected override afterPiece(buffer: Buffer): void {
    const heads = [...this.messages.map(({ head }) => head), this.current?.head];
    for (const head of heads) if (head?.headers.buffer === buffer) head.headers.detach();
    buffer.fill('?');
  }
}

/** Reads requests out of `pieces` until they end or one is refused. */
export function readRequests(pieces: readonly Buffer[], options: ReadOptions = {}): Reading {
  const reader = new RequestReader(options);
  for (const piece of pieces) if (!reader.stopped) reader.feed(piece);
  return reader.close();
}

/** Reads responses out of `pieces`; interim ones are messages, too. */
export function readResponses(pieces: readonly Buffer[], options: ReadOptions = {}): Reading {
  const reader = new ResponseReader(options);
  for (const piece of pieces) if (!reader.stopped) reader.feed(piece);
  return reader.close();
}

/** What two readings of the same bytes must have in common, as plain values. */
export function comparable(reading: Reading): unknown {
  return {
    ending: reading.ending,
    partial: reading.partial === null ? null : plain(reading.partial),
    messages: reading.messages.map(plain),
  };
}

function plain(message: ReadMessage): unknown {
  const { start, version, lines, bodyLength, body, trailers, head } = message;
  return {
    start,
    version,
    lines,
    bodyLength,
    body: body.toString('latin1'),
    trailers,
    keepAlive: head.keepAlive,
    upgrade: head.upgrade,
    left: snapshot(head.headers),
  };
}
