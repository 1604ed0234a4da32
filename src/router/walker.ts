/**
 * One match: the walk over the index, as its records in an arena say it (`arena.ts`).
 *
 * The state of the walk is kept in one object that is used again for each request, so that a match allocates nothing
 * but its answer. Matching is synchronous and never starts another match. Of the best candidate so far only the place
 * is kept; an entry is read where a record does not decide.
 *
 * Cost: each node of a tree has one position in the path where it can be met (a parameter edge always takes the rest
 * of its segment), so a walk visits a node at most once, whatever the path. The file is long because the walk is one
 * state machine over one set of fields.
 */
import {
  type Arena,
  BASE_SHIFT,
  CANDIDATE_WORDS,
  EDGE_WORDS,
  HAS_CONDITIONS,
  HAS_REGEX,
  LIST_HEAD,
  METHOD_MASK,
  MUST_END,
  NODE_WORDS,
  PROVEN,
  RANGE,
  WIDTH_MASK,
} from './arena.ts';
import { type Entry, outranks } from './entry.ts';
import { type FrozenIndex, wordsFor } from './freeze.ts';
import { methodBit, OTHER_METHOD } from './methods.ts';
import { decodeBytes, isAscii, lowerBytes } from './regex.ts';
import type { RouterInput } from './router.ts';

const NO_INPUT: RouterInput = {
  method: '',
  scheme: 'http',
  host: '',
  port: 0,
  path: '',
  query: '',
  sni: '',
  srcIp: '',
  srcPort: 0,
  dstIp: '',
  dstPort: 0,
  headerValues: () => [],
};

const NOTHING = new Int32Array(0);
const NO_BYTES = new Uint8Array(0);

export class Walker<T> {
  #words = NOTHING;
  #bytes = NO_BYTES;
  #entries: ReadonlyArray<Entry<T>> = [];
  #names: readonly string[] = [];
  #input: RouterInput = NO_INPUT;
  #path = '';
  /** -1: not looked at yet. */
  #ascii = -1;
  #decoded: string | null = null;
  /** 0: not looked at yet. */
  #methodBit = 0;
  /** Place of the best candidate; 0 is none. */
  #best = 0;
  /** Where in the path the walk found the best. */
  end = 0;

  walk(index: FrozenIndex<T>, input: RouterInput): Entry<T> | null {
    const { arena } = index;
    if (this.#words !== arena.words) this.#read(arena);
    this.#input = input;
    this.#path = input.path;
    this.#ascii = -1;
    this.#methodBit = 0;
    this.#best = 0;
    if (index.exact !== 0) {
      const host = this.#lookup(index.exact, input.host);
      if (host !== 0) this.#host(host);
    }
    if (index.suffix !== 0) this.#hostSuffixes(index.suffix, index.strict ? 1 : 0);
    if (index.prefix !== 0) this.#hostPrefixes(index.prefix, index.strict ? 1 : 0);
    // Most routes without hosts rank below any with one.
    if (index.any !== 0 && (this.#best === 0 || index.anyHigh >= this.#word(this.#best)))
      this.#tree(index.any, 0);
    return this.#best === 0 ? null : this.#entry(this.#best);
  }

  #read({ words, bytes, entries, names }: Arena<T>): void {
    this.#words = words;
    this.#bytes = bytes;
    this.#entries = entries;
    this.#names = names;
  }

  /** Lets go of the request. The arena stays, until the next match: it is the router's. */
  clear(): void {
    this.#input = NO_INPUT;
    this.#path = '';
    this.#decoded = null;
  }

  #word(at: number): number {
    return this.#words[at] ?? 0;
  }

  #entry(candidate: number): Entry<T> | null {
    return this.#entries[this.#word(candidate + 4)] ?? null;
  }

  /** The child whose label starts with the byte; 0 is none. */
  #kid(node: number, byte: number): number {
    const words = this.#words;
    const shape = words[node + 1] ?? 0;
    const width = shape & WIDTH_MASK;
    const kids = node + NODE_WORDS + wordsFor(words[node] ?? 0);
    if ((shape & RANGE) !== 0) {
      const slot = byte - ((shape >>> BASE_SHIFT) & 0xff);
      return slot >= 0 && slot < width ? (words[kids + slot] ?? 0) : 0;
    }
    const bytes = this.#bytes;
    const first = kids * 4;
    for (let i = 0; i < width; i++)
      if (bytes[first + i] === byte) return words[kids + wordsFor(width) + i] ?? 0;
    return 0;
  }

  /** Whether all of the node's label stands in the key; its first byte is known to. */
  #labelMatches(node: number, key: string, at: number): boolean {
    const length = this.#words[node] ?? 0;
    if (length === 1) return true;
    if (at + length > key.length) return false;
    const bytes = this.#bytes;
    const label = (node + NODE_WORDS) * 4;
    for (let i = 1; i < length; i++) if (bytes[label + i] !== key.charCodeAt(at + i)) return false;
    return true;
  }

  /** Value of exactly that key; 0 is none. */
  #lookup(root: number, key: string): number {
    let node = root;
    let at = 0;
    while (at < key.length) {
      const kid = this.#kid(node, key.charCodeAt(at));
      if (kid === 0 || !this.#labelMatches(kid, key, at)) return 0;
      at += this.#word(kid);
      node = kid;
    }
    return this.#word(node + 2);
  }

  /** The tree holds suffixes back to front. @param spare chars that the wildcard must stand for. */
  #hostSuffixes(root: number, spare: number): void {
    const { host } = this.#input;
    if (host.length >= spare) this.#host(this.#word(root + 2));
    let node = root;
    let left = host.length;
    while (left > spare) {
      const kid = this.#kid(node, host.charCodeAt(left - 1));
      const length = this.#word(kid);
      if (kid === 0 || length > left - spare) return;
      const label = (kid + NODE_WORDS) * 4;
      for (let i = 1; i < length; i++) if (this.#bytes[label + i] !== host.charCodeAt(left - 1 - i)) return;
      left -= length;
      node = kid;
      this.#host(this.#word(node + 2));
    }
  }

  #hostPrefixes(root: number, spare: number): void {
    const { host } = this.#input;
    if (host.length >= spare) this.#host(this.#word(root + 2));
    let node = root;
    let at = 0;
    while (at + spare < host.length) {
      const kid = this.#kid(node, host.charCodeAt(at));
      if (kid === 0 || !this.#labelMatches(kid, host, at)) return;
      at += this.#word(kid);
      if (at + spare > host.length) return;
      node = kid;
      this.#host(this.#word(node + 2));
    }
  }

  #host(host: number): void {
    if (host === 0) return;
    const ports = this.#word(host + 1);
    for (let i = 0; i < ports; i++) {
      const at = host + LIST_HEAD + 2 * i;
      if (this.#word(at) === this.#input.port) this.#tree(this.#word(at + 1), 0);
    }
    const any = this.#word(host);
    if (any !== 0) this.#tree(any, 0);
  }

  /** Everything below a node; `from` is the position behind its label. Recurses only along parameter edges. */
  #tree(root: number, from: number): void {
    const words = this.#words;
    const path = this.#path;
    let node = root;
    let at = from;
    for (;;) {
      const bucket = words[node + 2] ?? 0;
      if (bucket !== 0) this.#scan(bucket, at);
      if (words[node + 3] !== 0) this.#params(node, at);
      if (at === path.length) return;
      const kid = this.#kid(node, path.charCodeAt(at));
      if (kid === 0 || !this.#labelMatches(kid, path, at)) return;
      at += words[kid] ?? 0;
      node = kid;
    }
  }

  #params(node: number, at: number): void {
    const words = this.#words;
    const slash = this.#path.indexOf('/', at);
    const end = slash === -1 ? this.#path.length : slash;
    const shape = words[node + 1] ?? 0;
    const width = shape & WIDTH_MASK;
    const kids = node + NODE_WORDS + wordsFor(words[node] ?? 0);
    let edge = kids + width + ((shape & RANGE) === 0 ? wordsFor(width) : 0);
    const behind = edge + (words[node + 3] ?? 0) * EDGE_WORDS;
    for (; edge < behind; edge += EDGE_WORDS)
      if (this.#fits(edge, at, end)) this.#tree(words[edge] ?? 0, end);
  }

  #fits(edge: number, from: number, to: number): boolean {
    const words = this.#words;
    const length = to - from;
    if (length < (words[edge + 1] ?? 0)) return false;
    const membersOnly = words[edge + 3] === 1;
    // Limits count characters. Of what has bytes above 0x7f the regex decides.
    let ascii = true;
    if (membersOnly) {
      for (let i = from; i < to; i++) {
        const byte = this.#path.charCodeAt(i);
        if (byte > 0x7f) ascii = false;
        else if (((words[edge + 4 + (byte >>> 5)] ?? 0) & (1 << (byte & 31))) === 0) return false;
      }
    }
    if (length <= (words[edge + 2] ?? 0)) return true;
    return membersOnly ? !ascii : !this.#isAscii();
  }

  #scan(bucket: number, at: number): void {
    const words = this.#words;
    const first = bucket + LIST_HEAD;
    const behind = first + (words[bucket] ?? 0) * CANDIDATE_WORDS;
    for (let candidate = first; candidate < behind; candidate += CANDIDATE_WORDS) {
      if (this.#best !== 0 && !this.#outranks(candidate, this.#best)) break;
      if (this.#accepts(candidate, at)) {
        this.#best = candidate;
        this.end = at;
        break;
      }
    }
    if (words[bucket + 1] !== 0) this.#scanGroups(words[bucket + 1] ?? 0, at);
  }

  #outranks(a: number, b: number): boolean {
    const words = this.#words;
    for (let i = 0; i < 3; i++) {
      const ofA = words[a + i] ?? 0;
      const ofB = words[b + i] ?? 0;
      if (ofA !== ofB) return ofA > ofB;
    }
    const entryA = this.#entry(a);
    const entryB = this.#entry(b);
    return entryA !== null && entryB !== null && outranks(entryA, entryB);
  }

  #scanGroups(groups: number, at: number): void {
    const count = this.#word(groups);
    for (let i = 0; i < count; i++) {
      const name = this.#word(groups + 1 + 2 * i);
      const root = this.#word(groups + 2 + 2 * i);
      if (name === -1) this.#scanGroup(root, this.#input.method, at);
      else {
        for (const value of this.#input.headerValues(this.#names[name] ?? ''))
          this.#scanGroup(root, lowerBytes(value), at);
      }
    }
  }

  #scanGroup(root: number, key: string, at: number): void {
    const bucket = this.#lookup(root, key);
    if (bucket !== 0) this.#scan(bucket, at);
  }

  #accepts(candidate: number, at: number): boolean {
    const flags = this.#word(candidate + 3);
    if ((flags & MUST_END) !== 0 && at !== this.#path.length) return false;
    const methods = flags & METHOD_MASK;
    if (methods !== 0 && !this.#methodFits(methods, candidate)) return false;
    if ((flags & HAS_REGEX) !== 0 && !((flags & PROVEN) !== 0 && this.#isAscii())) {
      const regex = this.#entry(candidate)?.regex ?? null;
      if (regex !== null && !this.#runRegex(regex)) return false;
    }
    if ((flags & HAS_CONDITIONS) === 0) return true;
    for (const condition of this.#entry(candidate)?.conditions ?? [])
      if (!condition(this.#input)) return false;
    return true;
  }

  #methodFits(methods: number, candidate: number): boolean {
    const { method } = this.#input;
    if (this.#methodBit === 0) this.#methodBit = methodBit(method);
    if ((methods & this.#methodBit) === 0) return false;
    return this.#methodBit !== OTHER_METHOD || this.#entry(candidate)?.methods?.includes(method) === true;
  }

  #runRegex(regex: NonNullable<Entry<T>['regex']>): boolean {
    const { needle } = regex.template;
    if (needle !== '' && !this.#path.includes(needle)) return false;
    if (this.#isAscii()) return regex.testAscii(this.#path);
    this.#decoded ??= decodeBytes(this.#path);
    return regex.testUnicode(this.#decoded);
  }

  /** Whether `end` is where a proven template ends. Only asked of a walk that has found something, before `clear`. */
  isProof(): boolean {
    return this.#ascii === 1;
  }

  #isAscii(): boolean {
    if (this.#ascii === -1) this.#ascii = isAscii(this.#path) ? 1 : 0;
    return this.#ascii === 1;
  }
}
