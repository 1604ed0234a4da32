/**
 * Decoded rows by their place. A row never changes, so that a place in the index is right or it is not there; only a
 * segment's end makes its places mean something else, and then everything is forgotten.
 *
 * Bounded by number and octets, in two halves: what is used moves to the young one; when that is full, it becomes the
 * old one, and what was in the old one is forgotten.
 */
const HALF_ENTRIES = 8192;
/** Octets of rows; decoded they are some times as large. */
const HALF_BYTES = 1 << 20;
/** A larger row is decoded each time. */
const MAX_ROW = 64 << 10;

export class RowCache<T> {
  #young = new Map<number, T>();
  #old = new Map<number, T>();
  #bytes = 0;

  /** @param bytes of the row */
  get(place: number, bytes: number): T | undefined {
    const young = this.#young.get(place);
    if (young !== undefined) return young;
    const old = this.#old.get(place);
    if (old !== undefined) this.set(place, old, bytes);
    return old;
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
    this.#bytes = 0;
  }
}
