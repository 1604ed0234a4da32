/**
 * One match: the walk over the index.
 *
 * The state of the walk is kept in one object that is used again for each request, so that a match allocates nothing
 * but its answer. Matching is synchronous and never starts another match.
 *
 * Cost: each node of a tree has one position in the path where it can be met (a parameter edge always takes the rest
 * of its segment), so a walk visits a node at most once, whatever the path.
 */
import type { HostIndex, PathIndex } from './host-index.ts';
import type { Bucket } from './bucket.ts';
import { type Entry, outranks } from './entry.ts';
import { methodBit, OTHER_METHOD } from './methods.ts';
import { decodeBytes, isAscii, lowerBytes } from './regex.ts';
import type { SegmentClass } from './regex/template.ts';
import type { RouterInput } from './router.ts';
import { labelMatches, lookup, type TrieNode } from './trie.ts';

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

export class Walker<T> {
  #input: RouterInput = NO_INPUT;
  #path = '';
  /** -1: not looked at yet. */
  #ascii = -1;
  #decoded: string | null = null;
  /** 0: not looked at yet. */
  #methodBit = 0;
  best: Entry<T> | null = null;
  /** Where in the path the walk found `best`. */
  end = 0;

  walk(hosts: HostIndex<T>, input: RouterInput): void {
    this.#input = input;
    this.#path = input.path;
    this.#ascii = -1;
    this.#decoded = null;
    this.#methodBit = 0;
    this.best = null;
    if (hosts.exact !== null) {
      const found = lookup(hosts.exact, input.host);
      if (found !== null) this.#paths(found);
    }
    if (hosts.suffix !== null) this.#hostSuffixes(hosts.suffix, hosts.strict ? 1 : 0);
    if (hosts.prefix !== null) this.#hostPrefixes(hosts.prefix, hosts.strict ? 1 : 0);
    // Most routes without hosts rank below any with one.
    if (hosts.any !== null && hosts.anyHigh >= this.#high()) this.#tree(hosts.any, 0);
  }

  #high(): number {
    return this.best === null ? -1 : this.best.high;
  }

  /** Lets go of the request. */
  clear(): void {
    this.#input = NO_INPUT;
    this.#path = '';
    this.#decoded = null;
    this.best = null;
  }

  /** The tree holds suffixes back to front. @param spare chars that the wildcard must stand for. */
  #hostSuffixes(root: TrieNode<PathIndex<T>>, spare: number): void {
    const { host } = this.#input;
    if (root.value !== null && host.length >= spare) this.#paths(root.value);
    let node = root;
    let left = host.length;
    while (left > spare) {
      const kid = node.kid(host.charCodeAt(left - 1));
      if (kid === null) return;
      const { label } = kid;
      if (label.length > left - spare) return;
      for (let i = 1; i < label.length; i++)
        if (label.charCodeAt(i) !== host.charCodeAt(left - 1 - i)) return;
      left -= label.length;
      node = kid;
      if (node.value !== null) this.#paths(node.value);
    }
  }

  #hostPrefixes(root: TrieNode<PathIndex<T>>, spare: number): void {
    const { host } = this.#input;
    if (root.value !== null && host.length >= spare) this.#paths(root.value);
    let node = root;
    let at = 0;
    while (at + spare < host.length) {
      const kid = node.kid(host.charCodeAt(at));
      if (kid === null || !labelMatches(kid, host, at)) return;
      at += kid.length;
      if (at + spare > host.length) return;
      node = kid;
      if (node.value !== null) this.#paths(node.value);
    }
  }

  #paths(index: PathIndex<T>): void {
    const ofPort = index.ports?.get(this.#input.port);
    if (ofPort !== undefined) this.#tree(ofPort, 0);
    if (index.any !== null) this.#tree(index.any, 0);
  }

  /** Everything below a node; `from` is the position behind its label. Recurses only along parameter edges. */
  #tree(root: TrieNode<Bucket<T>>, from: number): void {
    const path = this.#path;
    const length = path.length;
    let node = root;
    let at = from;
    for (;;) {
      if (node.value !== null) this.#scan(node.value, at);
      if (node.params !== null) this.#params(node, at);
      if (at === length) return;
      const kid = node.kid(path.charCodeAt(at));
      if (kid === null || !labelMatches(kid, path, at)) return;
      at += kid.length;
      node = kid;
    }
  }

  #params(node: TrieNode<Bucket<T>>, at: number): void {
    const slash = this.#path.indexOf('/', at);
    const end = slash === -1 ? this.#path.length : slash;
    for (const edge of node.params ?? []) {
      if (this.#fits(edge.segment, at, end)) this.#tree(edge.node, end);
    }
  }

  #fits(segment: SegmentClass, from: number, to: number): boolean {
    const length = to - from;
    if (length < segment.min) return false;
    const { members } = segment;
    // Limits count characters. Of what has bytes above 0x7f the regex decides.
    let ascii = true;
    if (members !== null) {
      for (let i = from; i < to; i++) {
        const byte = this.#path.charCodeAt(i);
        if (byte > 0x7f) ascii = false;
        else if (members[byte] !== 1) return false;
      }
    }
    if (length <= segment.max) return true;
    return members === null ? !this.#isAscii() : !ascii;
  }

  #scan(bucket: Bucket<T>, at: number): void {
    const first = bucket.best;
    if (first !== null && (this.best === null || outranks(first, this.best))) {
      if (this.#accepts(first, at)) this.#found(first, at);
      else this.#scanRest(bucket.list, at);
    }
    if (bucket.groups !== null) this.#scanGroups(bucket, at);
  }

  #scanRest(list: ReadonlyArray<Entry<T>>, at: number): void {
    for (let i = 1; i < list.length; i++) {
      const entry = list[i];
      if (entry === undefined || (this.best !== null && !outranks(entry, this.best))) return;
      if (this.#accepts(entry, at)) {
        this.#found(entry, at);
        return;
      }
    }
  }

  #found(entry: Entry<T>, at: number): void {
    this.best = entry;
    this.end = at;
  }

  #scanGroups(bucket: Bucket<T>, at: number): void {
    for (const { name, root } of bucket.groups ?? []) {
      if (name === '') {
        const below = lookup(root, this.#input.method);
        if (below !== null) this.#scan(below, at);
        continue;
      }
      for (const value of this.#input.headerValues(name)) {
        const below = lookup(root, lowerBytes(value));
        if (below !== null) this.#scan(below, at);
      }
    }
  }

  #accepts(entry: Entry<T>, at: number): boolean {
    if (entry.mustEnd && at !== this.#path.length) return false;
    if (entry.methodBits !== 0 && !this.#methodFits(entry)) return false;
    if (entry.regex !== null && !(entry.proven && this.#isAscii()) && !this.#runRegex(entry.regex))
      return false;
    if (entry.conditions === null) return true;
    for (const condition of entry.conditions) if (!condition(this.#input)) return false;
    return true;
  }

  #methodFits(entry: Entry<T>): boolean {
    if (this.#methodBit === 0) this.#methodBit = methodBit(this.#input.method);
    if ((entry.methodBits & this.#methodBit) === 0) return false;
    return this.#methodBit !== OTHER_METHOD || entry.methods?.includes(this.#input.method) === true;
  }

  #runRegex(regex: NonNullable<Entry<T>['regex']>): boolean {
    const { needle } = regex.template;
    if (needle !== '' && !this.#path.includes(needle)) return false;
    if (this.#isAscii()) return regex.testAscii(this.#path);
    this.#decoded ??= decodeBytes(this.#path);
    return regex.testUnicode(this.#decoded);
  }

  #isAscii(): boolean {
    if (this.#ascii === -1) this.#ascii = isAscii(this.#path) ? 1 : 0;
    return this.#ascii === 1;
  }
}
