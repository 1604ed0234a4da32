/** The zone of circuits as the main thread sees it: it makes the region, clears what dead workers leave, shows and forces. */
import { monotonicMs } from '../../lib/monotonic.ts';
import { clearHolder } from '../slot-table.ts';
import { force } from './breaker.ts';
import {
  bytesOf,
  type Cells,
  cellsOf,
  COUNT,
  COUNT_WORDS,
  readName,
  type Shape,
  SLOT_WORDS,
  WORD,
} from './cells.ts';

const CAPACITY = 16_384;

/** A slot that some worker holds. */
export interface HeldCircuit {
  /** 16 hex digits: of the key, the same on every node. */
  readonly id: string;
  readonly name: string;
  /** Of its breaker: word.ts. */
  readonly state: number;
  readonly inFlight: number;
  readonly waiting: number;
}

export class NodeCircuits {
  readonly buffer: SharedArrayBuffer;
  readonly shape: Shape;
  readonly #cells: Cells;

  constructor(workers: number, capacity = CAPACITY) {
    this.shape = { workers, capacity };
    this.buffer = new SharedArrayBuffer(bytesOf(this.shape));
    this.#cells = cellsOf(this.buffer, this.shape);
  }

  /** After a worker's death: what it had in flight or waiting is gone, and it holds nothing. */
  clearWorker(id: number): void {
    const { counts, keys } = this.#cells;
    const { workers, capacity } = this.shape;
    clearHolder(this.#cells, id);
    for (let slot = 1; slot < capacity; slot++) {
      // Memory that was never used stays so.
      if (keys[slot * 2] === 0) continue;
      const at = (slot * workers + id) * COUNT_WORDS;
      Atomics.store(counts, at + COUNT.inFlight, 0);
      Atomics.store(counts, at + COUNT.waiting, 0);
    }
  }

  *all(): Generator<HeldCircuit> {
    for (let slot = 1; slot < this.shape.capacity; slot++) if (this.#isHeld(slot)) yield this.#of(slot);
  }

  /** @param kind 3: open until somebody says otherwise; 0: closed. @returns null: there is none of that id. */
  force(id: string, kind: 0 | 3): HeldCircuit | null {
    const { words } = this.#cells;
    for (let slot = 1; slot < this.shape.capacity; slot++) {
      if (!this.#isHeld(slot) || this.#id(slot) !== id) continue;
      const at = slot * SLOT_WORDS;
      const change = (from: number, to: number): boolean => {
        if (Atomics.compareExchange(words, at + WORD.state, from, to) !== from) return false;
        Atomics.add(words, words[at + WORD.group]! * SLOT_WORDS + WORD.epoch, 1);
        return true;
      };
      const one = {
        get state() {
          return Atomics.load(words, at + WORD.state);
        },
        change,
      };
      force(one, kind, monotonicMs());
      return this.#of(slot);
    }
    return null;
  }

  #isHeld(slot: number): boolean {
    const { keys, held } = this.#cells;
    return keys[slot * 2] !== 0 && held.some((stripe) => Atomics.load(stripe, slot) !== 0);
  }

  #id(slot: number): string {
    const { keys } = this.#cells;
    const half = (word: number): string => (word >>> 0).toString(16).padStart(8, '0');
    return half(keys[slot * 2]!) + half(keys[slot * 2 + 1]!);
  }

  #of(slot: number): HeldCircuit {
    const { words, names } = this.#cells;
    return {
      id: this.#id(slot),
      name: readName(names, slot),
      state: Atomics.load(words, slot * SLOT_WORDS + WORD.state),
      inFlight: this.#sum(slot, COUNT.inFlight) >> 1,
      waiting: this.#sum(slot, COUNT.waiting),
    };
  }

  #sum(slot: number, which: number): number {
    let sum = 0;
    for (let id = 0; id < this.shape.workers; id++) {
      sum += Atomics.load(this.#cells.counts, (slot * this.shape.workers + id) * COUNT_WORDS + which);
    }
    return sum;
  }
}
