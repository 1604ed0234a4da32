/**
 * What a match reads, as numbers in one piece of memory.
 *
 * Between two matches the rest of a request evicts the caches, so a match costs the cache lines that it touches. The
 * tree of objects that edits work on (`trie.ts`) touches several for each node, all over the heap; its records here
 * are some ten words each, and what belongs together lies together. `freeze.ts` writes them at the end of an edit.
 *
 * An arena is only ever appended to, so that older routers go on reading the records that they know. What an edit
 * replaces becomes garbage; `isWasteful` says when to begin a new arena.
 *
 * Places are indexes of 32-bit words; 0 is none. Records, in words:
 *
 *     node     length of the label, shape of the children, value (place), number of parameter edges;
 *              label in bytes; children; parameter edges
 *     children few: their first bytes, then their places; many: places by first byte less the base, 0 in the gaps
 *     edge     node, least and most characters, 1 when only members fit, the members as 128 bits
 *     host     tree for any port, number of ports; then port and tree of each
 *     bucket   number of candidates, groups (place); then the candidates, best first
 *     candidate  rank in three words, method bits and flags, index of its entry
 *     groups   number; then the name (index, -1 for the method) and the tree of each
 */
import type { Entry } from './entry.ts';

export const NODE_WORDS = 4;
export const EDGE_WORDS = 8;
export const CANDIDATE_WORDS = 5;
/** Of a bucket or host, before its list. */
export const LIST_HEAD = 2;

/** Flags of a candidate, above the method bits. */
export const MUST_END = 1 << 20;
export const HAS_REGEX = 1 << 21;
export const PROVEN = 1 << 22;
export const HAS_CONDITIONS = 1 << 23;
export const METHOD_MASK = (1 << 20) - 1;

/** More children than this have a range of places. */
export const FEW = 8;
/** Shape: bits 0-8 number of children or width of the range, 9-16 base, 17 whether it is a range. */
export const WIDTH_MASK = 0x1ff;
export const BASE_SHIFT = 9;
export const RANGE = 1 << 17;

const FIRST_WORDS = 256;
/** Garbage that is never worth a new arena, in words. */
const SMALL = 1 << 18;
const SMALL_ENTRIES = 1024;

export class Arena<T> {
  words = new Int32Array(FIRST_WORDS);
  /** The same memory. */
  bytes = new Uint8Array(this.words.buffer);
  readonly entries: Array<Entry<T>> = [];
  readonly names: string[] = [];
  #top = 1;
  #liveWords = 0;
  #liveEntries = 0;

  /** Place of so many new words, all 0. */
  allocate(count: number): number {
    const at = this.#top;
    this.#top += count;
    if (this.#top > this.words.length) this.#grow(Math.max(this.words.length * 2, this.#top));
    return at;
  }

  #grow(words: number): void {
    const grown = new Int32Array(words);
    grown.set(this.words);
    this.words = grown;
    this.bytes = new Uint8Array(grown.buffer);
  }

  get size(): number {
    return this.#top;
  }

  /**
   * All that is in it now is in use: a new arena has just been filled. A large one takes room at once for the garbage
   * that it will see, since to grow is to copy it; memory that is not written costs nothing.
   */
  settle(): void {
    this.#liveWords = this.#top;
    this.#liveEntries = this.entries.length;
    if (this.#top > SMALL) this.#grow(this.#mostWords() + SMALL);
  }

  #mostWords(): number {
    return 2 * this.#liveWords + SMALL;
  }

  /** More than half may be garbage. */
  isWasteful(): boolean {
    return this.#top > this.#mostWords() || this.entries.length > 2 * this.#liveEntries + SMALL_ENTRIES;
  }
}
