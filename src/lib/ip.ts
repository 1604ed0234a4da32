/**
 * IP addresses as numbers: a strict text parser and the canonical text, without allocation in the parser.
 *
 * An address is four 32-bit words in a caller's `Uint32Array(4)`; IPv4 uses the first. IPv4 takes exactly four
 * decimal parts without leading zeros, because `010.0.0.1` reads as octal elsewhere (RFC 6943 §3.1.1); IPv6 follows
 * RFC 4291 §2.2 without zone ids. What is accepted is what `net.isIP` accepts, less the zones.
 */

export type IpFamily = 4 | 6;

const COLON = 58;
const DOT = 46;
const ZERO = 48;
/** First words of an IPv4-mapped address, `::ffff:0:0/96`. */
const MAPPED = 0xffff;

const groups = new Uint16Array(8);

/** Parses `text[start, end)` into `words`; 0 when it is no address. */
export function parseIp(text: string, start: number, end: number, words: Uint32Array): IpFamily | 0 {
  // The longest: eight groups of four, or six and a dotted quad.
  if (end - start < 2 || end - start > 45) return 0;
  for (let i = start; i < end && i < start + 5; i++) {
    const c = text.charCodeAt(i);
    if (c === COLON) return parseIpv6(text, start, end, words) ? 6 : 0;
    if (c === DOT) break;
  }
  const value = parseIpv4(text, start, end);
  if (value < 0) return 0;
  words[0] = value;
  return 4;
}

/** The 32 bits of a dotted quad, or -1. */
function parseIpv4(text: string, start: number, end: number): number {
  let value = 0;
  let part = 0;
  let digits = 0;
  let parts = 0;
  for (let i = start; i <= end; i++) {
    const c = i < end ? text.charCodeAt(i) : DOT;
    if (c === DOT) {
      if (digits === 0 || ++parts > 4) return -1;
      value = value * 256 + part;
      part = 0;
      digits = 0;
      continue;
    }
    const digit = c - ZERO;
    if (digit < 0 || digit > 9 || (digits > 0 && part === 0)) return -1;
    part = part * 10 + digit;
    digits++;
    if (part > 255) return -1;
  }
  return parts === 4 ? value : -1;
}

function parseIpv6(text: string, start: number, end: number, words: Uint32Array): boolean {
  let count = 0;
  /** Number of groups before `::`, -1 when there is none. */
  let gap = -1;
  let i = start;
  if (text.charCodeAt(i) === COLON) {
    if (text.charCodeAt(i + 1) !== COLON || i + 1 >= end) return false;
    gap = 0;
    i += 2;
  }
  while (i < end) {
    if (count === 8) return false;
    const groupStart = i;
    let group = 0;
    let hex = -1;
    while (i < end && (hex = hexValue(text.charCodeAt(i))) >= 0) {
      if (i - groupStart === 4) return false;
      group = group * 16 + hex;
      i++;
    }
    if (i < end && text.charCodeAt(i) === DOT) {
      const quad = count <= 6 ? parseIpv4(text, groupStart, end) : -1;
      if (quad < 0) return false;
      groups[count++] = quad >>> 16;
      groups[count++] = quad & 0xffff;
      break;
    }
    if (i === groupStart) return false;
    groups[count++] = group;
    if (i === end) break;
    if (text.charCodeAt(i++) !== COLON) return false;
    if (i === end) return false;
    if (text.charCodeAt(i) === COLON) {
      if (gap >= 0) return false;
      gap = count;
      i++;
    }
  }
  return spread(count, gap, words);
}

/** Puts the groups read into eight places, the zeros of `::` between them. */
function spread(count: number, gap: number, words: Uint32Array): boolean {
  if (gap < 0 ? count !== 8 : count > 7) return false;
  const zeros = 8 - count;
  for (let place = 0; place < 8; place += 2) {
    words[place >> 1] = groupAt(place, gap, zeros) * 65536 + groupAt(place + 1, gap, zeros);
  }
  return true;
}

function groupAt(place: number, gap: number, zeros: number): number {
  if (gap < 0 || place < gap) return groups[place]!;
  return place < gap + zeros ? 0 : groups[place - zeros]!;
}

function hexValue(c: number): number {
  if (c >= 48 && c <= 57) return c - 48;
  const lower = c | 0x20;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

/** Is this IPv6 address an IPv4 one in disguise (`::ffff:1.2.3.4`)? The IPv4 bits are then `words[3]`. */
export function isMapped(words: Uint32Array): boolean {
  return words[0] === 0 && words[1] === 0 && words[2] === MAPPED;
}

/** Canonical text: RFC 5952 for IPv6, IPv4-mapped as `::ffff:1.2.3.4`. */
export function formatIp(family: IpFamily, words: Uint32Array): string {
  if (family === 4) return quadText(words[0]!);
  if (isMapped(words)) return `::ffff:${quadText(words[3]!)}`;
  const all: number[] = [];
  for (const word of words) all.push(word >>> 16, word & 0xffff);
  let best = -1;
  let bestLength = 1;
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (i + length < 8 && all[i + length] === 0) length++;
    if (length > bestLength) [best, bestLength] = [i, length];
    i += length;
  }
  const text = (from: number, to: number): string =>
    all
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  return best < 0 ? text(0, 8) : `${text(0, best)}::${text(best + bestLength, 8)}`;
}

function quadText(value: number): string {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
}
