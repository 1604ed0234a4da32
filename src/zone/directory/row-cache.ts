/**
 * Decoded rows by their place. A row never changes, so that a place in the index is right or it is not there; only a
 * segment's end makes its places mean something else, and then everything is forgotten.
 *
 * Bounded by number and octets, in two halves: what is used moves to the young one; when that is full, it becomes the
 * old one, and what was in the old one is forgotten. What is seen for the first time is not kept: among a million rows
 * that are asked for in no order, nearly all would be forgotten before they are asked for again, and until then be moved
 * about by the garbage collector.
 */
const HALF_ENTRIES = 8192;
/** Octets of rows; decoded they are some times as large. */
const HALF_BYTES = 1 << 20;
/** A larger row is decoded each time. */
const MAX_ROW = 64 << 10;
/** Places that were seen are remembered in as many cells, each by the last one that fell into it. */
const SEEN = 16_384;
/** How often a place takes a cell from another. */
const TAKES = 0.5;

export class RowCache<T> {
  #young = new Map<number, T>();
  #old = new Map<number, T>();
  #bytes = 0;
  readonly #seen = new Int32Array(SEEN);

  /** @param bytes of the row */
  get(place: number, bytes: number): T | undefined {
    const young = this.#young.get(place);
    if (young !== undefined) return young;
    const old = this.#old.get(place);
    if (old !== undefined) this.set(place, old, bytes);
    return old;
  }

  /** Keeps a row that has just been decoded, unless that happens for the first time. */
  offer(place: number, decoded: T, bytes: number): void {
    const cell = Math.imul(place, 0x9e3779b1) >>> 18;
    if (this.#seen[cell] === place) this.set(place, decoded, bytes);
    // Not each time: two that are in use and share a cell would keep each other out for ever.
    else if (Math.random() < TAKES) this.#seen[cell] = place;
  }

  set(place: number, decoded: T, bytes: number): void {
    if (bytes > MAX_ROW) return;
    if (this.#young.size >= HALF_ENTRIES || this.#bytes + bytes > HALF_BYTES) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#bytes = 0;
    }
    this.#young.set(place, decoded);
    this.#bytes += bytes;
  }

  has(place: number): boolean {
    return this.#young.has(place) || this.#old.has(place);
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
    this.#seen.fill(0);
    this.#bytes = 0;
  }
}
