/**
 * Parser of HTTP/1.1 message heads (RFC 9112 §2–§5): start line and field lines, each byte looked at once.
 *
 * It is strict, since two readings of one message are how requests are smuggled: lines end in CRLF alone, names are
 * tokens followed directly by the colon, nothing is folded, control characters are refused. It is incremental by
 * lines: what is complete stays parsed in the `FieldLines`, and the next call goes on with the line that was cut.
 *
 * A fault is a negative number, so that the path without one allocates nothing; `fault.ts` says what each means.
 */
import { latin1 } from '../../lib/bytes.ts';
import type { HttpVersion } from '../message.ts';
import type { FieldLines } from './field-lines.ts';
import { HASH_SEED } from './field-names.ts';
import * as Fault from './fault.ts';
import {
  BYTE_CLASS,
  COLON,
  CR,
  FIELD,
  FIELD_BYTE,
  HTAB,
  LF,
  METHOD,
  NINE,
  SP,
  TARGET,
  TOKEN_LOWER,
  ZERO,
} from './syntax.ts';

export interface HeadLimits {
  /** Octets of one line (nginx's large_client_header_buffers size, proxy_buffer_size). */
  readonly lineBytes: number;
  /** Octets of the whole head. */
  readonly headBytes: number;
  /** Field lines. */
  readonly lines: number;
}

const INCOMPLETE = Fault.INCOMPLETE;

/** `HTTP/1.` */
const VERSION_PREFIX = Buffer.from('HTTP/1.', 'latin1');

abstract class HeadParser {
  /** Where the lines go; may be exchanged between two heads. */
  fields: FieldLines;
  version: HttpVersion = '1.1';
  protected readonly limits: HeadLimits;
  /** Where the line starts with which the next call goes on, and whether that is still the start line. */
  #resume = -1;
  #inFields = false;
  #headStart = 0;

  constructor(fields: FieldLines, limits: HeadLimits) {
    this.fields = fields;
    this.limits = limits;
  }

  /** True when the start line was read. */
  get pastStartLine(): boolean {
    return this.#inFields;
  }

  /** Octets that may wait for the end of their line before a limit must be checked. */
  get longestWait(): number {
    return this.#resume - this.#headStart + this.limits.lineBytes;
  }

  /**
   * Parses `buffer` from `start` (the first byte of the head) to `end`. Answers the offset behind the head,
   * `Fault.INCOMPLETE` when more must come, or another fault. On the next call the same bytes stand at the same place;
   * after `moved` they may stand elsewhere.
   */
  parse(buffer: Buffer, start: number, end: number): number {
    if (this.#resume < 0) {
      this.fields.reset(buffer);
      this.#resume = this.#headStart = start;
    }
    let at = this.#resume;
    if (!this.#inFields) {
      const next = this.startLine(buffer, at, end);
      if (next < 0) return next === INCOMPLETE ? this.#incomplete(at, end) : next;
      if (next - at > this.limits.lineBytes) return this.startLineTooLong;
      this.#inFields = true;
      this.#resume = at = next;
    }
    const next = this.#fieldLines(buffer, at, end);
    if (next === INCOMPLETE) return this.#incomplete(this.#resume, end);
    return next;
  }

  /** The head's bytes, once at `from`, now stand at the start of `buffer`. */
  moved(buffer: Buffer, from: number): void {
    this.fields.rebase(buffer, from);
    this.#resume -= from;
    this.#headStart -= from;
  }

  protected restart(): void {
    this.#resume = -1;
    this.#inFields = false;
  }

  protected abstract startLine(buffer: Buffer, start: number, end: number): number;
  protected abstract readonly startLineTooLong: number;

  #incomplete(lineStart: number, end: number): number {
    if (end - lineStart > this.limits.lineBytes)
      return this.#inFields ? Fault.FIELDS_TOO_LARGE : this.startLineTooLong;
    return end - this.#headStart > this.limits.headBytes ? Fault.FIELDS_TOO_LARGE : INCOMPLETE;
  }

  #fieldLines(buffer: Buffer, at: number, end: number): number {
    const fields = this.fields;
    const { lineBytes, headBytes, lines } = this.limits;
    for (;;) {
      const name = at;
      let hash = HASH_SEED;
      let byte = 0;
      let lower = 0;
      while (at < end && (lower = TOKEN_LOWER[(byte = buffer[at] as number)] as number) !== 0) {
        hash = Math.imul(hash, 33) ^ lower;
        at++;
      }
      if (at >= end) return INCOMPLETE;
      if (byte !== COLON || at === name)
        return byte === CR && at === name ? this.#headEnd(buffer, at, end) : Fault.MALFORMED;
      const nameEnd = at++;
      while (at < end && ((byte = buffer[at] as number) === SP || byte === HTAB)) at++;
      const value = at;
      while (at < end && FIELD_BYTE[(byte = buffer[at] as number)] !== 0) at++;
      if (at >= end) return INCOMPLETE;
      if (byte !== CR) return Fault.MALFORMED;
      if (at + 1 >= end) return INCOMPLETE;
      if (buffer[at + 1] !== LF) return Fault.MALFORMED;
      let valueEnd = at;
      while (valueEnd > value && ((byte = buffer[valueEnd - 1] as number) === SP || byte === HTAB))
        valueEnd--;
      at += 2;
      if (at - name > lineBytes || at - this.#headStart > headBytes || fields.count >= lines)
        return Fault.FIELDS_TOO_LARGE;
      fields.push(name, nameEnd, value, valueEnd, hash | 0);
      this.#resume = at;
    }
  }

  #headEnd(buffer: Buffer, at: number, end: number): number {
    if (at + 1 >= end) return INCOMPLETE;
    if (buffer[at + 1] !== LF) return Fault.MALFORMED;
    if (at + 2 - this.#headStart > this.limits.headBytes) return Fault.FIELDS_TOO_LARGE;
    this.fields.end = at;
    return at + 2;
  }

  /** The minor version's digit and CRLF behind `HTTP/1.`; HTTP/1.2 and up are read as 1.1 (RFC 9110 §2.5). */
  protected setVersion(minor: number): void {
    this.version = minor === ZERO ? '1.0' : '1.1';
  }
}

export class RequestHeadParser extends HeadParser {
  method = '';
  /** As received: origin form, absolute form, authority form or `*`. */
  rawTarget = '';
  protected override readonly startLineTooLong = Fault.TARGET_TOO_LONG;

  /** Makes ready for the next head. */
  reset(): void {
    this.restart();
    this.method = '';
    this.rawTarget = '';
  }

  protected override startLine(buffer: Buffer, start: number, end: number): number {
    let at = start;
    // One empty line before the request line is ignored (RFC 9112 §2.2).
    if (buffer[at] === CR && at < end) {
      if (at + 1 >= end) return INCOMPLETE;
      if (buffer[at + 1] !== LF) return Fault.MALFORMED;
      at += 2;
    }
    const method = at;
    while (at < end && ((BYTE_CLASS[buffer[at] as number] as number) & METHOD) !== 0) at++;
    if (at >= end) return INCOMPLETE;
    if (buffer[at] !== SP || at === method) return Fault.MALFORMED;
    const methodEnd = at++;
    const target = at;
    while (at < end && ((BYTE_CLASS[buffer[at] as number] as number) & TARGET) !== 0) at++;
    if (at >= end) return INCOMPLETE;
    if (buffer[at] !== SP || at === target) return Fault.MALFORMED;
    const next = this.#version(buffer, at + 1, end);
    if (next < 0) return next;
    this.method = methodName(buffer, method, methodEnd);
    this.rawTarget = latin1(buffer, target, at);
    return next;
  }

  #version(buffer: Buffer, at: number, end: number): number {
    for (let i = 0; i < 5; i++, at++) {
      if (at >= end) return INCOMPLETE;
      if (buffer[at] !== VERSION_PREFIX[i]) return Fault.MALFORMED;
    }
    if (at + 5 > end) return INCOMPLETE;
    const major = buffer[at] as number;
    const minor = buffer[at + 2] as number;
    const wellFormed = isDigit(major) && buffer[at + 1] === 0x2e && isDigit(minor);
    if (!wellFormed || buffer[at + 3] !== CR || buffer[at + 4] !== LF) return Fault.MALFORMED;
    if (major !== 0x31) return Fault.VERSION;
    this.setVersion(minor);
    return at + 5;
  }
}

export class ResponseHeadParser extends HeadParser {
  status = 0;
  reason = '';
  protected override readonly startLineTooLong = Fault.FIELDS_TOO_LARGE;

  reset(): void {
    this.restart();
    this.status = 0;
    this.reason = '';
  }

  /** `HTTP/1.1 200 reason CRLF` (RFC 9112 §4); the space before an empty reason may be missing. */
  protected override startLine(buffer: Buffer, start: number, end: number): number {
    let at = start;
    for (let i = 0; i < VERSION_PREFIX.length; i++, at++) {
      if (at >= end) return INCOMPLETE;
      if (buffer[at] !== VERSION_PREFIX[i]) return Fault.MALFORMED;
    }
    if (at + 5 >= end) return INCOMPLETE;
    const minor = buffer[at] as number;
    const [hundreds, tens, ones] = [
      (buffer[at + 2] as number) - ZERO,
      (buffer[at + 3] as number) - ZERO,
      (buffer[at + 4] as number) - ZERO,
    ];
    if (!isDigit(minor) || buffer[at + 1] !== SP || !isStatus(hundreds, tens, ones)) return Fault.MALFORMED;
    at += 5;
    if (buffer[at] === SP) at++;
    else if (buffer[at] !== CR) return Fault.MALFORMED;
    const reason = at;
    while (at < end && ((BYTE_CLASS[buffer[at] as number] as number) & FIELD) !== 0) at++;
    if (at >= end) return INCOMPLETE;
    if (buffer[at] !== CR) return Fault.MALFORMED;
    if (at + 1 >= end) return INCOMPLETE;
    if (buffer[at + 1] !== LF) return Fault.MALFORMED;
    this.setVersion(minor);
    this.status = hundreds * 100 + tens * 10 + ones;
    const ok = at - reason === 2 && buffer[reason] === 0x4f && buffer[reason + 1] === 0x4b;
    this.reason = ok ? 'OK' : latin1(buffer, reason, at);
    return at + 2;
  }
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE;
}

function isStatus(hundreds: number, tens: number, ones: number): boolean {
  return hundreds >= 1 && hundreds <= 9 && tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9;
}

/** The common methods without making a string. */
function methodName(buffer: Buffer, start: number, end: number): string {
  const length = end - start;
  const first = buffer[start] as number;
  if (length === 3 && first === 0x47 && buffer[start + 1] === 0x45 && buffer[start + 2] === 0x54)
    return 'GET';
  if (length === 4 && first === 0x50 && latin1(buffer, start, end) === 'POST') return 'POST';
  return latin1(buffer, start, end);
}
