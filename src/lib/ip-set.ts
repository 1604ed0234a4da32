/**
 * A set of IP addresses and networks (`trusted_ips`), IPv4 and IPv6.
 *
 * Networks become sorted, merged ranges, so that a question is one parse and a binary search (60 ns; `net.BlockList`
 * takes three times as long and lets `::/0` hold IPv4). As in nginx an IPv4-mapped IPv6 address is an IPv4
 * address: `10.0.0.0/8` holds `::ffff:10.0.0.1`, and `::/0` holds no IPv4 address in either spelling.
 */
import { isMapped, parseIp } from './ip.ts';

const V4_WORDS = 1;
const V6_WORDS = 4;

/** Non-overlapping ranges in ascending order; each bound is `width` words. */
interface Ranges {
  readonly count: number;
  readonly first: Uint32Array;
  readonly last: Uint32Array;
}

interface Range {
  readonly first: Uint32Array;
  readonly last: Uint32Array;
}

const scratch = new Uint32Array(V6_WORDS);
const mappedScratch = new Uint32Array(V4_WORDS);

export class IpSet {
  readonly #v4: Ranges;
  readonly #v6: Ranges;
  readonly #unix: boolean;

  /**
   * @param entries `10.0.0.1`, `10.0.0.0/8`, `::1`, `fc00::/7`, or `unix:` (peers on a UNIX socket). Bits of a network
   *   beyond its prefix are ignored.
   * @throws {SyntaxError} naming the first entry that is none of these.
   */
  constructor(entries: readonly string[]) {
    const v4: Range[] = [];
    const v6: Range[] = [];
    let unix = false;
    for (const entry of entries) {
      if (entry === 'unix:') {
        unix = true;
        continue;
      }
      const range = parseNetwork(entry);
      if (range === null) throw new SyntaxError(`"${entry}" is not an IP address or CIDR block`);
      (range.first.length === V4_WORDS ? v4 : v6).push(range);
    }
    this.#v4 = merge(v4, V4_WORDS);
    this.#v6 = merge(v6, V6_WORDS);
    this.#unix = unix;
  }

  /** False for text that is no address. A UNIX-socket peer is the empty string or `unix:`. */
  has(ip: string): boolean {
    if (ip === '' || ip === 'unix:') return this.#unix;
    const family = parseIp(ip, 0, ip.length, scratch);
    if (family === 0) return false;
    return this.hasWords(family, scratch);
  }

  /** As `has`, for an address already parsed by `parseIp`. */
  hasWords(family: 4 | 6, words: Uint32Array): boolean {
    if (family === 4) return holds(this.#v4, words, V4_WORDS);
    if (!isMapped(words)) return holds(this.#v6, words, V6_WORDS);
    mappedScratch[0] = words[3]!;
    return holds(this.#v4, mappedScratch, V4_WORDS);
  }
}

function parseNetwork(entry: string): Range | null {
  const slash = entry.indexOf('/');
  const words = new Uint32Array(V6_WORDS);
  const family = parseIp(entry, 0, slash < 0 ? entry.length : slash, words);
  if (family === 0) return null;
  const bits = family === 4 ? 32 : 128;
  let prefix = bits;
  if (slash >= 0) {
    const text = entry.slice(slash + 1);
    if (!/^\d{1,3}$/.test(text)) return null;
    prefix = Number(text);
    if (prefix > bits) return null;
  }
  if (family === 4) return network(words.slice(0, V4_WORDS), prefix);
  // A network of mapped addresses is a network of IPv4 addresses.
  if (isMapped(words) && prefix >= 96) return network(words.slice(3), prefix - 96);
  return network(words, prefix);
}

function network(words: Uint32Array, prefix: number): Range {
  const first = words.map((word, i) => {
    const kept = Math.min(Math.max(prefix - i * 32, 0), 32);
    return kept === 0 ? 0 : word & (-1 << (32 - kept));
  });
  const last = first.map((word, i) => {
    const kept = Math.min(Math.max(prefix - i * 32, 0), 32);
    return kept === 32 ? word : word | (0xffffffff >>> kept);
  });
  return { first, last };
}

function merge(ranges: Range[], width: number): Ranges {
  ranges.sort((a, b) => compare(a.first, 0, b.first, width));
  const merged: Range[] = [];
  for (const range of ranges) {
    const previous = merged.at(-1);
    if (previous === undefined || compare(range.first, 0, previous.last, width) > 0) merged.push(range);
    else if (compare(range.last, 0, previous.last, width) > 0) {
      merged[merged.length - 1] = { first: previous.first, last: range.last };
    }
  }
  const flat = {
    count: merged.length,
    first: new Uint32Array(merged.length * width),
    last: new Uint32Array(merged.length * width),
  };
  for (const [i, range] of merged.entries()) {
    flat.first.set(range.first, i * width);
    flat.last.set(range.last, i * width);
  }
  return flat;
}

/** Compares `width` words, `a[at…]` with `b[0…]`, as one big number. */
function compare(a: Uint32Array, at: number, b: Uint32Array, width: number): number {
  for (let i = 0; i < width; i++) {
    const difference = a[at + i]! - b[i]!;
    if (difference !== 0) return difference;
  }
  return 0;
}

function holds(ranges: Ranges, words: Uint32Array, width: number): boolean {
  let low = 0;
  let high = ranges.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(ranges.first, middle * width, words, width) > 0) high = middle;
    else low = middle + 1;
  }
  return low > 0 && compare(ranges.last, (low - 1) * width, words, width) >= 0;
}
