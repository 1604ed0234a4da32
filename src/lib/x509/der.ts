/** The part of DER (ITU-T X.690) that a certificate needs, written only. Every function answers one complete element. */

type Bytes = Uint8Array;

function element(tag: number, ...parts: readonly Bytes[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag, ...lengthOctets(content.length)]), content]);
}

/** §8.1.3: short form below 128, else the number of octets and the length in them. */
function lengthOctets(length: number): number[] {
  if (length < 0x80) return [length];
  const octets: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return [0x80 | octets.length, ...octets];
}

export const sequence = (...parts: readonly Bytes[]): Buffer => element(0x30, ...parts);
export const set = (...parts: readonly Bytes[]): Buffer => element(0x31, ...parts);
export const utf8String = (text: string): Buffer => element(0x0c, Buffer.from(text));
export const octetString = (bytes: Bytes): Buffer => element(0x04, bytes);
export const truth = (value: boolean): Buffer => element(0x01, Buffer.from([value ? 0xff : 0]));
/** §8.6, with a whole number of octets or, when `unused` says so, fewer bits. */
export const bitString = (bytes: Bytes, unused = 0): Buffer => element(0x03, Buffer.from([unused]), bytes);
/** `[number]`, around other elements. */
export const explicit = (number: number, ...parts: readonly Bytes[]): Buffer =>
  element(0xa0 | number, ...parts);
/** `[number]` in place of the tag of a string. */
export const implicit = (number: number, bytes: Bytes): Buffer => element(0x80 | number, bytes);

/** A number that is not negative, big-endian. */
export function integer(bytes: Bytes): Buffer {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const digits = bytes.subarray(start);
  const sign = (digits[0] ?? 0) >= 0x80 ? [0] : [];
  return element(0x02, Buffer.from(sign), digits.length === 0 ? Buffer.from([0]) : digits);
}

/** @param dotted such as `2.5.4.3`. */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return element(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

function base128(value: number): number[] {
  const octets = [value % 128];
  for (let left = Math.floor(value / 128); left > 0; left = Math.floor(left / 128)) {
    octets.unshift(0x80 | (left % 128));
  }
  return octets;
}

/** RFC 5280 §4.1.2.5: UTCTime until 2049, GeneralizedTime from then on; seconds, UTC. */
export function time(date: Date): Buffer {
  const digits = date.toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  return date.getUTCFullYear() < 2050
    ? element(0x17, Buffer.from(digits.slice(2)))
    : element(0x18, Buffer.from(digits));
}
