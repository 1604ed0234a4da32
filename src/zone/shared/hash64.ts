/**
 * HalfSipHash-1-3 with 64 bits of output (Aumasson and Bernstein's SipHash on 32-bit words) over the UTF-16 units of a
 * text, two in each word. With a key that nobody knows, who may choose texts cannot choose them to collide; and two that
 * collide by chance are one in 2^64.
 */
export class Hash64 {
  /** Of the text that was hashed last. */
  low = 0;
  high = 0;
  readonly #k0: number;
  readonly #k1: number;

  constructor(k0: number, k1: number) {
    this.#k0 = k0 | 0;
    this.#k1 = k1 | 0;
  }

  /** A family of its own for each name. */
  derive(name: string): Hash64 {
    this.of(name);
    return new Hash64(this.low, this.high);
  }

  of(text: string): void {
    const { length } = text;
    const whole = length & ~1;
    let v0 = this.#k0;
    let v1 = this.#k1 ^ 0xee;
    let v2 = 0x6c796765 ^ this.#k0;
    let v3 = 0x74656462 ^ this.#k1;
    for (let i = 0; i < whole; i += 2) {
      const word = text.charCodeAt(i) | (text.charCodeAt(i + 1) << 16);
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
    // A last word with the length, and three rounds for each half of the output.
    const last = (length << 24) | (whole === length ? 0 : text.charCodeAt(whole));
    for (let round = 0; round < 7; round++) {
      const word = round === 0 ? last : 0;
      if (round === 1) v2 ^= 0xee;
      else if (round === 4) {
        this.low = v1 ^ v3;
        v1 ^= 0xdd;
      }
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
    this.high = v1 ^ v3;
  }
}
