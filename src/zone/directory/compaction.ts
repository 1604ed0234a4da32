/**
 * Empties segments of which half is dead, a few rows at a time: what lives in them moves to the end of the last one. So
 * no more than about half of the memory is wasted, and a row is moved about once for each one that dies.
 */
import { DirectoryFull } from './memory.ts';
import type { Segment, Segments } from './segments.ts';
import { offsetOf, sizeOf } from './tables.ts';

/** Rows moved in one step. */
const MOVES = 16;

export class Compaction {
  readonly #segments: Segments;
  readonly #onMove: (old: number, place: number) => void;
  #emptying: Generator<void> | null = null;

  /** @param onMove puts the new place where the old one stands */
  constructor(segments: Segments, onMove: (old: number, place: number) => void) {
    this.#segments = segments;
    this.#onMove = onMove;
  }

  /** Answers whether there is more to do. */
  step(): boolean {
    for (let moves = 0; moves < MOVES; moves++) {
      if (this.#emptying === null) {
        const segment = this.#segments.takeHalfDead();
        if (segment === undefined) return false;
        this.#emptying = this.#empty(segment);
      }
      try {
        if (this.#emptying.next().done === true) this.#emptying = null;
      } catch (error) {
        this.#emptying = null;
        // It only wanted to save memory.
        if (!(error instanceof DirectoryFull)) throw error;
      }
    }
    return true;
  }

  *#empty(segment: Segment): Generator<void> {
    for (const place of this.#segments.living(segment)) {
      this.#move(place);
      yield;
    }
  }

  #move(place: number): void {
    const { bytes } = this.#segments.at(place);
    const from = offsetOf(place);
    const length = sizeOf(this.#segments.info(place));
    this.#segments.makeRoom(length);
    const moved = this.#segments.append(bytes.subarray(from, from + length), length);
    this.#onMove(place, moved);
    this.#segments.free(place);
  }
}
