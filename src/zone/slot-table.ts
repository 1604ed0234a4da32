/**
 * A table of a fixed size in shared memory, in which workers find a slot by the hash of its key.
 *
 * Slots are taken under a lock that is held for microseconds and that the main thread opens when its holder has died. A
 * worker says in a cell of its own that it holds a slot. A slot that nobody holds keeps its key and what lies beside it,
 * for a key that comes back, until another key takes it. Slot 0 is nobody's: a handle that has let go points there.
 *
 * Who finds no slot in PROBES places gets none.
 */
import { hash32 } from './hash32.ts';

const PROBES = 64;

export interface SlotCells {
  /** One integer: the worker (from 1) that takes a slot. */
  readonly lock: Int32Array;
  /** Two for each slot. */
  readonly keys: Int32Array;
  /** Of each worker: 1 for each slot that it holds. */
  readonly held: readonly Int32Array[];
}

export class SlotTable {
  readonly #cells: SlotCells;
  readonly #id: number;
  readonly #capacity: number;
  readonly #held: Int32Array;
  readonly #claimed: (slot: number) => void;

  /**
   * @param capacity a power of two.
   * @param claimed another key has this slot from now on: what lies beside it begins anew.
   */
  constructor(cells: SlotCells, id: number, capacity: number, claimed: (slot: number) => void) {
    const held = cells.held[id];
    if (held === undefined) throw new RangeError(`no worker ${id}`);
    this.#cells = cells;
    this.#id = id;
    this.#capacity = capacity;
    this.#held = held;
    this.#claimed = claimed;
  }

  /**
   * Holds the slot of a key; 0: none is left. Not for every request.
   *
   * @param unheld called under the lock when nobody held the slot.
   */
  take(key: string, unheld: ((slot: number) => void) | null = null): number {
    const low = hash32(key, 0x9e3779b9) | 1;
    const high = hash32(key, 0x85ebca6b) | 0;
    this.#lock();
    try {
      const slot = this.#find(low, high);
      if (slot === 0) return 0;
      if (unheld !== null && this.#unheld(slot)) unheld(slot);
      Atomics.store(this.#held, slot, 1);
      return slot;
    } finally {
      Atomics.store(this.#cells.lock, 0, 0);
      Atomics.notify(this.#cells.lock, 0, 1);
    }
  }

  release(slot: number): void {
    Atomics.store(this.#held, slot, 0);
  }

  #find(low: number, high: number): number {
    const { keys } = this.#cells;
    let free = 0;
    for (let probe = 0; probe < PROBES; probe++) {
      const slot = (low + probe) & (this.#capacity - 1);
      if (slot === 0) continue;
      if (keys[slot * 2] === low && keys[slot * 2 + 1] === high) return slot;
      const empty = keys[slot * 2] === 0;
      if (free === 0 && (empty || this.#unheld(slot))) free = slot;
      if (empty) break;
    }
    if (free > 0) {
      this.#claimed(free);
      keys[free * 2] = low;
      keys[free * 2 + 1] = high;
    }
    return free;
  }

  #unheld(slot: number): boolean {
    return this.#cells.held.every((stripe) => Atomics.load(stripe, slot) === 0);
  }

  #lock(): void {
    const { lock } = this.#cells;
    for (;;) {
      const holder = Atomics.compareExchange(lock, 0, 0, this.#id + 1);
      if (holder === 0) return;
      Atomics.wait(lock, 0, holder, 1);
    }
  }
}

/** For the main thread, after a worker's death: it takes and holds nothing. @throws RangeError */
export function clearHolder({ lock, held }: SlotCells, id: number): void {
  const own = held[id];
  if (own === undefined) throw new RangeError(`no worker ${id}`);
  if (Atomics.compareExchange(lock, 0, id + 1, 0) === id + 1) Atomics.notify(lock, 0);
  for (let slot = 0; slot < own.length; slot++) Atomics.store(own, slot, 0);
}
