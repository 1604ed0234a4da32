/**
 * The writer's side of the index: an open-addressing table of tags and places.
 *
 * A slot belongs to its tag for as long as the table lives: a reader that sees a place therefore sees its tag, although
 * the two are not written at once. An entry that has gone leaves its slot to later ones with the same tag. A table that
 * is full, or full of what has gone, is followed by another one, which is filled a few slots at a time with each write
 * and replaces the old one when it has all: no write takes long, and readers use the old one meanwhile.
 */
import type { Memory } from './memory.ts';
import { firstSlot, FREE, GONE } from './tables.ts';

const MIN_SLOTS = 1024;
/** Used slots among all, at which the next table is begun. */
const FULL = 0.7;
/** Live entries among the slots of a new table. */
const FILLED = 0.5;
/** Live entries among all, under which a smaller table is begun. */
const SPARSE = 0.2;
/** Slots copied with each write: a table is copied before it has no free slot. */
const STEP = 16;

class Table {
  readonly buffer: SharedArrayBuffer;
  readonly words: Int32Array;
  readonly slots: number;
  /** Slots that have a tag. */
  used = 0;

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.words = new Int32Array(buffer);
    this.slots = this.words.length / 2;
  }

  /** Answers the slot. */
  insert(tag: number, place: number): number {
    const { words, slots } = this;
    for (let slot = firstSlot(tag, slots); ; slot = slot + 1 === slots ? 0 : slot + 1) {
      const there = words[slot * 2 + 1]!;
      if (there === FREE) {
        words[slot * 2] = tag;
        this.used++;
      } else if (there !== GONE || words[slot * 2] !== tag) continue;
      Atomics.store(words, slot * 2 + 1, place);
      return slot;
    }
  }

  /** Puts another place in the slot that has both. Answers the slot. */
  replace(tag: number, place: number, by: number): number {
    const { words, slots } = this;
    for (let slot = firstSlot(tag, slots); ; slot = slot + 1 === slots ? 0 : slot + 1) {
      const there = words[slot * 2 + 1]!;
      if (there === FREE) throw new Error('an entry of the directory is not in its index');
      if (there !== place || words[slot * 2] !== tag) continue;
      Atomics.store(words, slot * 2 + 1, by);
      return slot;
    }
  }
}

export class Slots {
  /** Number of entries. */
  live = 0;
  readonly #memory: Memory;
  readonly #onTable: (buffer: SharedArrayBuffer) => void;
  #table: Table;
  #next: Table | null = null;
  /** Slots before this one have been copied. */
  #copied = 0;

  /** @param onTable called with each table that takes the place of another. @throws DirectoryFull */
  constructor(memory: Memory, onTable: (buffer: SharedArrayBuffer) => void) {
    this.#memory = memory;
    this.#onTable = onTable;
    this.#table = new Table(memory.take(MIN_SLOTS * 8));
  }

  get buffer(): SharedArrayBuffer {
    return this.#table.buffer;
  }

  get bytes(): number {
    return this.#table.buffer.byteLength + (this.#next?.buffer.byteLength ?? 0);
  }

  /** Before anything is inserted. @throws DirectoryFull */
  makeRoom(): void {
    if (this.#next === null && this.#table.used > this.#table.slots * FULL) this.#begin();
  }

  insert(tag: number, place: number): void {
    const slot = this.#table.insert(tag, place);
    if (slot < this.#copied) this.#next?.insert(tag, place);
    this.live++;
    this.#copy();
  }

  replace(tag: number, place: number, by: number): void {
    const slot = this.#table.replace(tag, place, by);
    if (slot < this.#copied) this.#next?.replace(tag, place, by);
  }

  remove(tag: number, place: number): void {
    this.replace(tag, place, GONE);
    this.live--;
    this.#copy();
  }

  /** A smaller table, when there is much too much room. */
  shrink(): void {
    if (this.#next !== null || this.#table.slots === MIN_SLOTS) return;
    if (this.live < this.#table.slots * SPARSE) this.#begin();
  }

  /** Where the search for an entry ends that `matches`; FREE when there is none. */
  find(tag: number, matches: (place: number) => boolean): number {
    const { words, slots } = this.#table;
    for (let slot = firstSlot(tag, slots); ; slot = slot + 1 === slots ? 0 : slot + 1) {
      const place = words[slot * 2 + 1]!;
      if (place === FREE) return FREE;
      if (place !== GONE && words[slot * 2] === tag && matches(place)) return place;
    }
  }

  #begin(): void {
    const meanwhile = this.#table.slots / STEP;
    const slots = Math.max(MIN_SLOTS, Math.ceil((this.live + meanwhile) / FILLED));
    this.#next = new Table(this.#memory.take(slots * 8));
    this.#copied = 0;
  }

  #copy(): void {
    if (this.#next === null) return;
    const { words, slots } = this.#table;
    const end = Math.min(slots, this.#copied + STEP);
    for (; this.#copied < end; this.#copied++) {
      const place = words[this.#copied * 2 + 1]!;
      if (place !== FREE && place !== GONE) this.#next.insert(words[this.#copied * 2]!, place);
    }
    if (end < slots) return;
    this.#memory.release(this.#table.buffer);
    this.#table = this.#next;
    this.#next = null;
    this.#copied = 0;
    this.#onTable(this.#table.buffer);
  }
}
