/**
 * Feeds a head parser from reads of any size. A head that comes whole is parsed where it was read and never copied;
 * one that comes in pieces is put together in a buffer of its own, which grows no further than the parser's limits.
 */
import * as Fault from './fault.ts';
import type { RequestHeadParser, ResponseHeadParser } from './head-parser.ts';
import { LF } from './syntax.ts';

const INITIAL_BYTES = 1024;

export class HeadBuffer {
  /** The pieces so far, or null when the head is read in place. */
  #pieces: Buffer | null = null;
  #length = 0;
  /** Bytes of the last read that the head took. */
  taken = 0;

  /** Part of a head has come. */
  get started(): boolean {
    return this.#pieces !== null;
  }

  /**
   * Gives the parser what was read. True: the head is complete, and `taken` bytes from `at` belonged to it. False: it
   * wants more. A fault is thrown by number: see `fault`.
   */
  read(parser: RequestHeadParser | ResponseHeadParser, buffer: Buffer, at: number, end: number): boolean {
    return this.#pieces === null
      ? this.#inPlace(parser, buffer, at, end)
      : this.#pieced(parser, buffer, at, end);
  }

  /** The fault that `read` met, 0 when none. */
  fault = 0;

  reset(): void {
    this.#pieces = null;
    this.#length = 0;
    this.fault = 0;
  }

  #inPlace(parser: RequestHeadParser | ResponseHeadParser, buffer: Buffer, at: number, end: number): boolean {
    const next = parser.parse(buffer, at, end);
    if (next >= 0) {
      this.taken = next - at;
      return true;
    }
    if (next !== Fault.INCOMPLETE) {
      this.fault = next;
      return false;
    }
    this.#length = end - at;
    this.#pieces = Buffer.allocUnsafeSlow(Math.max(INITIAL_BYTES, this.#length * 2));
    buffer.copy(this.#pieces, 0, at, end);
    parser.moved(this.#pieces, at);
    return false;
  }

  #pieced(parser: RequestHeadParser | ResponseHeadParser, buffer: Buffer, at: number, end: number): boolean {
    const before = this.#length;
    const pieces = this.#append(parser, buffer, at, end);
    // Without a line's end nothing can be completed; long lines that come byte by byte are not scanned each time.
    const lf = buffer.indexOf(LF, at);
    if ((lf < 0 || lf >= end) && this.#length <= parser.longestWait) return false;
    const next = parser.parse(pieces, 0, this.#length);
    if (next >= 0) {
      this.taken = next - before;
      this.#pieces = null;
      this.#length = 0;
      return true;
    }
    if (next !== Fault.INCOMPLETE) this.fault = next;
    return false;
  }

  #append(parser: RequestHeadParser | ResponseHeadParser, buffer: Buffer, at: number, end: number): Buffer {
    let pieces = this.#pieces as Buffer;
    const length = this.#length + end - at;
    if (length > pieces.length) {
      const larger = Buffer.allocUnsafeSlow(length * 2);
      pieces.copy(larger, 0, 0, this.#length);
      this.#pieces = pieces = larger;
      parser.moved(larger, 0);
    }
    buffer.copy(pieces, this.#length, at, end);
    this.#length = length;
    return pieces;
  }
}
