/**
 * What all workers of a node know together of circuits: the places that a target or an upstream has, who waits for one, and
 * the state of its breaker. One region of shared memory; a worker finds a slot by its key (slot-table.ts), for each target of
 * each configuration of a plugin that has met it. State outlives changes of the configuration and of targets: the slot of a
 * target that comes back is what it was, unless another key has needed it.
 *
 * - **Places and who waits** are counts for each slot and worker, side by side, as in the zone of targets: their worker alone
 *   writes them, readers add them up, and the main thread zeroes those of a worker that has died. So a probe or a request of a
 *   dead worker is not counted for ever. Who takes a place counts first and looks then; nobody gets one that there is not.
 * - **Breakers** are one integer (word.ts).
 * - **Windows** are counts of requests and failures in buckets, for each slot and worker, written by their worker alone. They
 *   belong to an era; those of another one count for nothing, so that nobody has to clear them.
 *
 * The table is of a fixed size. Who finds no slot has to go by what this worker knows (`acquire` answers null).
 */
import { monotonicMs } from '../../lib/monotonic.ts';
import { SlotTable } from '../slot-table.ts';
import {
  bytesOf,
  type Cells,
  cellsOf,
  COUNT_WORDS,
  SLOT_WORDS,
  type Shape,
  WINDOW_WORDS,
  WORD,
  writeName,
} from './cells.ts';
import { Circuit, type CircuitKeeper } from './circuit.ts';

export class CircuitZone implements CircuitKeeper {
  readonly cells: Cells;
  readonly workers: number;
  readonly id: number;
  readonly #slots: SlotTable;
  readonly #circuits = new Map<string, Circuit>();
  /** The clock of all threads less that of this one. */
  readonly #epoch = monotonicMs() - performance.now();

  constructor(buffer: SharedArrayBuffer, workerId: number, shape: Shape) {
    this.cells = cellsOf(buffer, shape);
    this.workers = shape.workers;
    this.id = workerId;
    this.#slots = new SlotTable(this.cells, workerId, shape.capacity, (slot) => this.#clear(slot));
  }

  /** A region of its own for so many circuits: what is counted there is one worker's alone. */
  static standalone(circuits: number): CircuitZone {
    const shape = { workers: 1, capacity: 2 ** Math.ceil(Math.log2(Math.max(circuits, 16) * 4)) };
    return new CircuitZone(new SharedArrayBuffer(bytesOf(shape)), 0, shape);
  }

  /** Milliseconds by the clock of all threads. @param at by that of this thread. */
  now(at: number = performance.now()): number {
    return this.#epoch + at;
  }

  /**
   * The handle of a key, to be released once; null when its part of the table is full. Not for every request.
   * @param name for people. @param group null: it is one itself.
   */
  acquire(key: string, name: string, group: Circuit | null): Circuit | null {
    let circuit = this.#circuits.get(key);
    if (circuit === undefined) {
      const slot = this.#slots.take(key);
      if (slot === 0) return null;
      this.#circuits.set(key, (circuit = new Circuit(this, key, name, slot)));
    }
    const { words, names } = this.cells;
    Atomics.store(words, circuit.slot * SLOT_WORDS + WORD.group, (group ?? circuit).slot);
    writeName(names, circuit.slot, name);
    circuit.hold();
    return circuit;
  }

  /** Called by the handle that lets go. */
  free(circuit: Circuit): void {
    this.#circuits.delete(circuit.key);
    this.#slots.release(circuit.slot);
  }

  #clear(slot: number): void {
    const { words, counts, windows } = this.cells;
    const { workers } = this;
    words.fill(0, slot * SLOT_WORDS, (slot + 1) * SLOT_WORDS);
    counts.fill(0, slot * workers * COUNT_WORDS, (slot + 1) * workers * COUNT_WORDS);
    windows.fill(0, slot * workers * WINDOW_WORDS, (slot + 1) * workers * WINDOW_WORDS);
  }
}
