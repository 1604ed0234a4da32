/** Numbers as WebAssembly's binary format writes them (LEB128; WebAssembly Core Specification 2.0, §5.2.2). */

/** Reads a module from its first byte on. */
export class ByteReader {
  readonly bytes: Uint8Array;
  at: number;
  readonly end: number;

  constructor(bytes: Uint8Array, at = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  get done(): boolean {
    return this.at >= this.end;
  }

  /** @throws RangeError past the end. */
  byte(): number {
    const { bytes, at } = this;
    const value = at < this.end ? bytes[at] : undefined;
    if (value === undefined) throw new RangeError('a module ends in the middle');
    this.at = at + 1;
    return value;
  }

  /** An unsigned number of at most 32 bits. */
  u32(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError('a number of a module is too long');
  }

  /** A number whose value does not matter, signed or not. */
  skipNumber(): void {
    while (this.byte() >= 0x80);
  }

  skip(bytes: number): void {
    this.at += bytes;
    if (this.at > this.end) throw new RangeError('a module ends in the middle');
  }
}

export function u32(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return bytes;
}

/** With its length before it. */
export function sized(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(u32(bytes.length)), bytes]);
}
