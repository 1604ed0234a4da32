/**
 * What is looked up, as octets, and its hash.
 *
 * The hash is HalfSipHash-1-3 (Aumasson and Bernstein's SipHash on 32-bit words) with a key that is random for each
 * process: who may choose names cannot choose them to collide. Of its 32 bits the lowest four give way to the index
 * that the entry belongs to, so that entries of different indexes never meet in a comparison.
 */
const FIRST_BYTES = 1024;
/** Longer texts are left to Buffer. */
const SHORT = 64;

export class Key {
  length = 0;
  bytes: Uint8Array;
  readonly #k0: number;
  readonly #k1: number;
  #buffer: Buffer;
  #words: Int32Array;

  constructor(k0: number, k1: number) {
    this.#k0 = k0;
    this.#k1 = k1;
    this.#buffer = Buffer.from(new ArrayBuffer(FIRST_BYTES));
    this.bytes = this.#buffer;
    this.#words = new Int32Array(this.#buffer.buffer);
  }

  /** Answers false for a text that has no UTF-8: nothing is found by it. */
  setText(text: string): boolean {
    if (text.length <= SHORT && this.#setAscii(text)) return true;
    if (!text.isWellFormed()) return false;
    this.#reserve(text.length * 3);
    this.length = this.#buffer.write(text, 0, 'utf8');
    return true;
  }

  /** Answers false when it is no UUID. */
  setId(id: string): boolean {
    this.length = 16;
    return parseUuid(id, this.bytes, 0);
  }

  setBytes(from: Uint8Array, at: number, length: number): void {
    this.#reserve(length);
    for (let i = 0; i < length; i++) this.bytes[i] = from[at + i]!;
    this.length = length;
  }

  /** Is it what stands there? It takes the same time wherever they differ. */
  equals(other: Uint8Array, at: number, length: number): boolean {
    if (length !== this.length) return false;
    let difference = 0;
    for (let i = 0; i < length; i++) difference |= this.bytes[i]! ^ other[at + i]!;
    return difference === 0;
  }

  /** What stands in the index for it. @param index BY_ID, … */
  tag(kind: number, index: number): number {
    return (this.#hash((kind << 4) | index) & ~0xf) | index;
  }

  #hash(domain: number): number {
    const { length } = this;
    this.#pad();
    let v0 = this.#k0;
    let v1 = this.#k1;
    let v2 = 0x6c796765 ^ this.#k0;
    let v3 = 0x74656462 ^ this.#k1;
    const words = (length + 3) >> 2;
    // One word for the domain, the octets, one word for the length, three rounds at the end.
    for (let i = -1; i < words + 4; i++) {
      let word = 0;
      if (i < 0) word = domain;
      else if (i < words) word = this.#words[i]!;
      else if (i === words) word = length;
      else if (i === words + 1) v2 ^= 0xff;
      v3 ^= word;
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      v0 ^= word;
    }
    return v1 ^ v3;
  }

  /** Zeroes after the end, up to a word. */
  #pad(): void {
    for (let i = this.length; (i & 3) !== 0; i++) this.bytes[i] = 0;
  }

  #setAscii(text: string): boolean {
    const { bytes } = this;
    const { length } = text;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) return false;
      bytes[i] = code;
    }
    this.length = length;
    return true;
  }

  #reserve(length: number): void {
    if (length + 4 <= this.bytes.length) return;
    this.#buffer = Buffer.from(new ArrayBuffer(2 ** Math.ceil(Math.log2(length + 4))));
    this.bytes = this.#buffer;
    this.#words = new Int32Array(this.#buffer.buffer);
  }
}

const UUID_LENGTH = 36;
/** Value of a hex digit by its code; 255: none. */
const DIGITS = new Uint8Array(128).fill(255);
for (let value = 0; value < 16; value++) {
  const digit = value.toString(16);
  DIGITS[digit.charCodeAt(0)] = value;
  DIGITS[digit.toUpperCase().charCodeAt(0)] = value;
}

const DASH = 0x2d;
/** Where the two digits of each octet begin. */
const PLACES = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
const DASHES = [8, 13, 18, 23];

/** Writes the 16 octets. Answers false, with some of them written, when it is none. */
export function parseUuid(text: string, to: Uint8Array, at: number): boolean {
  if (text.length !== UUID_LENGTH) return false;
  for (let i = 0; i < 4; i++) if (text.charCodeAt(DASHES[i]!) !== DASH) return false;
  let wrong = 0;
  for (let byte = 0; byte < 16; byte++) {
    const place = PLACES[byte]!;
    const high = DIGITS[text.charCodeAt(place)] ?? 255;
    const low = DIGITS[text.charCodeAt(place + 1)] ?? 255;
    wrong |= high | low;
    to[at + byte] = (high << 4) | low;
  }
  return wrong < 16;
}

const HEX = Buffer.from('0123456789abcdef');
/** One flat string is made of it: what is put together of parts is slow to read. */
const written = Buffer.alloc(UUID_LENGTH, DASH);

export function formatUuid(bytes: Uint8Array, at: number): string {
  for (let byte = 0; byte < 16; byte++) {
    const value = bytes[at + byte]!;
    const place = PLACES[byte]!;
    written[place] = HEX[value >> 4]!;
    written[place + 1] = HEX[value & 15]!;
  }
  return written.toString('latin1', 0, UUID_LENGTH);
}
