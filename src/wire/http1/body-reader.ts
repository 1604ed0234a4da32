/**
 * Reads the body of one message out of the bytes of its connection: by length, chunked, or until close (RFC 9112 §6–7).
 *
 * Payload is handed on as views of what was read; nothing is copied or kept. Chunk sizes are hex digits alone, lines end
 * in CRLF, extensions are skipped but counted (they must not cost more than they carry), trailers are field lines under
 * the same strict rules as in a head.
 */
import type { Trailers } from '../message.ts';
import * as Fault from './fault.ts';
import { BYTE_CLASS, COLON, CR, FIELD, LF, TOKEN, trimOws } from './syntax.ts';

export interface BodySink {
  bodyData(chunk: Buffer): void;
  bodyEnd(trailers: Trailers | null): void;
}

/** 2^52 has 14 hex digits at most. */
const MAX_SIZE_DIGITS = 13;
/** Octets of chunk extensions in one line, and of all of them beyond the octets of data. */
const MAX_EXTENSION = 4096;
const MAX_EXTENSIONS_SURPLUS = 64 * 1024;

const IDLE = 0;
const LENGTH = 1;
const UNTIL_CLOSE = 2;
const SIZE = 3;
const EXTENSION = 4;
const SIZE_LF = 5;
const DATA = 6;
const DATA_CR = 7;
const DATA_LF = 8;
const TRAILER = 9;

export class BodyReader {
  readonly #sink: BodySink;
  #state = IDLE;
  /** Octets left of the body (LENGTH) or of the chunk (DATA); the size being read (SIZE). */
  #left = 0;
  #digits = 0;
  #extension = 0;
  #extensions = 0;
  #trailerLimit = 0;
  #trailer: Buffer | null = null;
  #trailers: string[] | null = null;
  #trailerBytes = 0;

  constructor(sink: BodySink) {
    this.#sink = sink;
  }

  get done(): boolean {
    return this.#state === IDLE;
  }

  /** Octets that must still come, when that is known. */
  get remaining(): number {
    if (this.#state === IDLE) return 0;
    return this.#state === LENGTH ? this.#left : Infinity;
  }

  startLength(octets: number): void {
    this.#left = octets;
    this.#state = octets === 0 ? IDLE : LENGTH;
  }

  startUntilClose(): void {
    this.#state = UNTIL_CLOSE;
  }

  /** `trailerLimit`: octets of the trailer section. */
  startChunked(trailerLimit: number): void {
    this.#state = SIZE;
    this.#left = this.#digits = this.#extension = this.#extensions = this.#trailerBytes = 0;
    this.#trailer = this.#trailers = null;
    this.#trailerLimit = trailerLimit;
  }

  /** Nothing more is handed on, whatever still comes. */
  stop(): void {
    this.#state = IDLE;
    this.#left = -1;
  }

  /** The connection ended: true when that is how this body ends. */
  finishAtClose(): boolean {
    if (this.#state !== UNTIL_CLOSE) return false;
    this.#state = IDLE;
    this.#sink.bodyEnd(null);
    return true;
  }

  /**
   * Reads from `at` to `end`; answers how far it came (less than `end` when the body ended before), or a fault.
   * The sink may stop the reader while it is called.
   */
  read(buffer: Buffer, at: number, end: number): number {
    while (at < end && this.#state !== IDLE) {
      switch (this.#state) {
        case LENGTH:
          at = this.#payload(buffer, at, end, IDLE);
          if (this.done && this.#left === 0) this.#sink.bodyEnd(null);
          break;
        case UNTIL_CLOSE:
          this.#sink.bodyData(view(buffer, at, end));
          at = end;
          break;
        case DATA:
          at = this.#payload(buffer, at, end, DATA_CR);
          break;
        case TRAILER:
          at = this.#readTrailer(buffer, at, end);
          if (at < 0) return at;
          break;
        default:
          if (!this.#step(buffer[at] as number)) return Fault.CHUNK;
          at++;
      }
    }
    return at;
  }

  #payload(buffer: Buffer, at: number, end: number, then: number): number {
    const stop = Math.min(end, at + this.#left);
    this.#left -= stop - at;
    if (this.#left === 0) this.#state = then;
    this.#sink.bodyData(view(buffer, at, stop));
    return stop;
  }

  /** One byte of a chunk's framing. */
  #step(byte: number): boolean {
    switch (this.#state) {
      case SIZE:
        return this.#sizeByte(byte);
      case EXTENSION:
        if (byte === CR) this.#state = SIZE_LF;
        else if (((BYTE_CLASS[byte] ?? 0) & FIELD) === 0) return false;
        return ++this.#extension <= MAX_EXTENSION && ++this.#extensions <= MAX_EXTENSIONS_SURPLUS;
      case SIZE_LF:
        if (byte !== LF) return false;
        this.#state = this.#left === 0 ? TRAILER : DATA;
        this.#digits = this.#extension = 0;
        this.#extensions = Math.max(0, this.#extensions - this.#left);
        return true;
      case DATA_CR:
        this.#state = DATA_LF;
        return byte === CR;
      case DATA_LF:
        this.#state = SIZE;
        return byte === LF;
      default:
        return false;
    }
  }

  #sizeByte(byte: number): boolean {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      this.#left = this.#left * 16 + digit;
      return ++this.#digits <= MAX_SIZE_DIGITS;
    }
    if (this.#digits === 0) return false;
    if (byte === CR) this.#state = SIZE_LF;
    else if (byte === 0x3b) this.#state = EXTENSION;
    else return false;
    return true;
  }

  /** Trailer lines are rare: each is put together in a buffer of its own and read when it is whole. */
  #readTrailer(buffer: Buffer, at: number, end: number): number {
    const lf = buffer.indexOf(LF, at);
    const stop = lf < 0 || lf >= end ? end : lf + 1;
    this.#trailerBytes += stop - at;
    if (this.#trailerBytes > this.#trailerLimit) return Fault.CHUNK;
    const piece = buffer.subarray(at, stop);
    const line = this.#trailer === null ? piece : Buffer.concat([this.#trailer, piece]);
    if (stop === end && buffer[stop - 1] !== LF) {
      this.#trailer = this.#trailer === null ? Buffer.from(line) : line;
      return stop;
    }
    this.#trailer = null;
    if (line.length === 2 && line[0] === CR) {
      this.#state = IDLE;
      this.#sink.bodyEnd(this.#trailers);
      return stop;
    }
    return this.#trailerLine(line) ? stop : Fault.CHUNK;
  }

  #trailerLine(line: Buffer): boolean {
    const length = line.length - 2;
    if (length < 1 || line[length] !== CR) return false;
    const colon = line.indexOf(COLON);
    if (colon < 1 || colon > length) return false;
    for (let i = 0; i < colon; i++) if (((BYTE_CLASS[line[i] as number] ?? 0) & TOKEN) === 0) return false;
    for (let i = colon + 1; i < length; i++)
      if (((BYTE_CLASS[line[i] as number] ?? 0) & FIELD) === 0) return false;
    const name = line.toString('latin1', 0, colon);
    const value = trimOws(line.toString('latin1', colon + 1, length));
    if (!isForbiddenTrailer(name.toLowerCase())) (this.#trailers ??= []).push(name, value);
    return true;
  }
}

/** Fields that frame, route or control a message mean nothing behind it and are dropped there (RFC 9110 §6.5.1). */
const FORBIDDEN_TRAILERS: ReadonlySet<string> = new Set([
  'transfer-encoding',
  'content-length',
  'host',
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'upgrade',
  'expect',
  'authorization',
  'proxy-authorization',
  'cookie',
  'set-cookie',
  'content-encoding',
  'content-type',
  'content-range',
  'cache-control',
  'max-forwards',
  'range',
  'via',
  'forwarded',
  'proxy',
  'x-real-ip',
]);

/** Also what a gateway says of a client: a reader that merges trailers into the head would believe it. */
export function isForbiddenTrailer(name: string): boolean {
  return (
    FORBIDDEN_TRAILERS.has(name) ||
    /^x[^a-z0-9](?:forwarded|kong|consumer|credential|anonymous|authenticated)[^a-z0-9]/.test(name)
  );
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

function view(buffer: Buffer, start: number, end: number): Buffer {
  return start === 0 && end === buffer.length ? buffer : buffer.subarray(start, end);
}
