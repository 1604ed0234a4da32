/** Strings of bytes: latin1 in and out of buffers. */

/** Below this length a loop is faster than a call into native code. */
const SHORT = 24;

/** Bytes `start` to `end` as a string with one character a byte. */
export function latin1(source: Buffer, start: number, end: number): string {
  return source.toString('latin1', start, end);
}

/** Writes a string of one-byte characters at `at`; returns the offset behind it. The target has room. */
export function putLatin1(target: Buffer, at: number, text: string): number {
  const length = text.length;
  if (length > SHORT) return at + target.write(text, at, 'latin1');
  for (let i = 0; i < length; i++) target[at++] = text.charCodeAt(i);
  return at;
}

/** Writes a non-negative integer in decimal; returns the offset behind it. */
export function putDecimal(target: Buffer, at: number, value: number): number {
  if (value < 10) {
    target[at] = 0x30 + value;
    return at + 1;
  }
  let digits = 1;
  for (let bound = 10; value >= bound; bound *= 10) digits++;
  for (let i = at + digits - 1, rest = value; i >= at; i--) {
    const quotient = Math.floor(rest / 10);
    target[i] = 0x30 + (rest - quotient * 10);
    rest = quotient;
  }
  return at + digits;
}

const HEX = Buffer.from('0123456789abcdef', 'latin1');

/** Writes a non-negative integer in lower-case hexadecimal; returns the offset behind it. */
export function putHex(target: Buffer, at: number, value: number): number {
  let digits = 1;
  for (let bound = 16; value >= bound; bound *= 16) digits++;
  for (let i = at + digits - 1, rest = value; i >= at; i--) {
    const quotient = Math.floor(rest / 16);
    target[i] = HEX[rest - quotient * 16] as number;
    rest = quotient;
  }
  return at + digits;
}
