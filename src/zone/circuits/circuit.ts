/**
 * The handle of a slot in the zone of circuits, as a worker has it: one target, or one upstream, for one configuration of
 * a plugin. circuit-zone.ts says the rules.
 *
 * A handle that has let go points at slot 0: there everybody is let in and nothing is counted.
 */
import { COUNT, type Cells, SLOT_WORDS, WORD } from './cells.ts';
import { COUNT_WORDS } from './cells.ts';

/** Whose slots they are. */
export interface CircuitKeeper {
  readonly cells: Cells;
  readonly workers: number;
  readonly id: number;
  free(circuit: Circuit): void;
}

/** Rounds in which workers that want the last place at once see who has it; a thread that is stopped meanwhile has it not. */
const ROUNDS = 2000;

export class Circuit {
  slot: number;
  readonly key: string;
  /** For people. */
  readonly name: string;
  readonly #zone: CircuitKeeper;
  #holders = 0;
  /** Of this worker. */
  #inFlight = 0;
  #waiting = 0;

  constructor(zone: CircuitKeeper, key: string, name: string, slot: number) {
    this.#zone = zone;
    this.key = key;
    this.name = name;
    this.slot = slot;
  }

  get zone(): CircuitKeeper {
    return this.#zone;
  }

  /** Of its breaker. */
  get state(): number {
    return this.slot === 0 ? 0 : Atomics.load(this.#zone.cells.words, this.slot * SLOT_WORDS + WORD.state);
  }

  /** @returns false: another thread was first. */
  change(from: number, to: number): boolean {
    if (this.slot === 0) return false;
    const { words } = this.#zone.cells;
    const at = this.slot * SLOT_WORDS;
    if (Atomics.compareExchange(words, at + WORD.state, from, to) !== from) return false;
    Atomics.add(words, words[at + WORD.group]! * SLOT_WORDS + WORD.epoch, 1);
    return true;
  }

  /** Of a group: another one after each change of what belongs to it. */
  get epoch(): number {
    return Atomics.load(this.#zone.cells.words, this.slot * SLOT_WORDS + WORD.epoch);
  }

  /** Of all workers. */
  get inFlight(): number {
    if (this.slot === 0) return 0;
    const { cells, workers } = this.#zone;
    let sum = 0;
    for (let worker = 0; worker < workers; worker++) {
      sum += Atomics.load(cells.counts, this.#count(worker, COUNT.inFlight)) >> 1;
    }
    return sum;
  }

  /** Of all workers. */
  get waiting(): number {
    if (this.slot === 0) return 0;
    const { cells, workers } = this.#zone;
    let at = this.#count(0, COUNT.waiting);
    let sum = 0;
    for (let n = 0; n < workers; n++, at += COUNT_WORDS) sum += Atomics.load(cells.counts, at);
    return sum;
  }

  get ownInFlight(): number {
    return this.#inFlight;
  }

  get ownWaiting(): number {
    return this.#waiting;
  }

  /** Takes one of so many places; false: there is none. */
  take(max: number): boolean {
    if (max < Infinity && this.slot > 0 && !this.#claim(max)) {
      this.#putInFlight(0);
      return false;
    }
    this.#inFlight++;
    this.#putInFlight(0);
    return true;
  }

  /**
   * Says first that it wants a place, and looks then who else has or wants one. Where too many want the last ones, all but the
   * first withdraw, so that one is sure of it. From a claim to a place it is one store: nobody sees both, or neither.
   */
  #claim(max: number): boolean {
    const { cells, workers, id } = this.#zone;
    this.#putInFlight(1);
    for (let round = 0, claims = 1; round < ROUNDS; round++) {
      let taken = 0;
      let others = 0;
      let first = true;
      for (let worker = 0; worker < workers; worker++) {
        const count = Atomics.load(cells.counts, this.#count(worker, COUNT.inFlight));
        taken += count >> 1;
        if (worker === id) continue;
        others += count & 1;
        if (worker < id && (count & 1) === 1) first = false;
      }
      if (taken >= max) return false;
      if (claims === 1 && taken + others < max) return true;
      if (first === (claims === 1)) continue;
      claims = first ? 1 : 0;
      this.#putInFlight(claims);
    }
    return false;
  }

  /** Gives one back. */
  leave(): void {
    this.#inFlight--;
    this.#putInFlight(0);
    this.#letGo();
  }

  /** Waits for a place; false: so many wait already. */
  join(max: number): boolean {
    this.#put(COUNT.waiting, ++this.#waiting);
    if (this.waiting <= max) return true;
    this.#put(COUNT.waiting, --this.#waiting);
    return false;
  }

  /** Waits no more. */
  quit(): void {
    this.#put(COUNT.waiting, --this.#waiting);
    this.#letGo();
  }

  /** A place is free: whose turn it is of those workers where somebody waits; -1: nobody does. */
  nextWaiting(): number {
    const { workers, cells } = this.#zone;
    if (this.slot === 0 || this.waiting === 0) return this.#waiting > 0 ? this.#zone.id : -1;
    const turn = Atomics.add(cells.words, this.slot * SLOT_WORDS + WORD.turn, 1);
    for (let n = 0; n < workers; n++) {
      const worker = ((turn >>> 0) + n) % workers;
      if (Atomics.load(cells.counts, this.#count(worker, COUNT.waiting)) > 0) return worker;
    }
    return -1;
  }

  /** Wakes another worker. */
  ring(worker: number): void {
    const { counts } = this.#zone.cells;
    const at = this.#count(worker, COUNT.bell);
    Atomics.add(counts, at, 1);
    Atomics.notify(counts, at);
  }

  /** Resolves when this worker is woken, or after so many milliseconds. */
  async woken(ms: number): Promise<void> {
    const { counts } = this.#zone.cells;
    const at = this.#count(this.#zone.id, COUNT.bell);
    await Atomics.waitAsync(counts, at, Atomics.load(counts, at), ms).value;
  }

  hold(): void {
    this.#holders++;
  }

  release(): void {
    this.#holders--;
    this.#letGo();
  }

  #count(worker: number, which: number): number {
    return (this.slot * this.#zone.workers + worker) * COUNT_WORDS + which;
  }

  #put(which: number, value: number): void {
    if (this.slot === 0) return;
    Atomics.store(this.#zone.cells.counts, this.#count(this.#zone.id, which), value);
  }

  /** @param claim 1: it is about to take one more. */
  #putInFlight(claim: number): void {
    this.#put(COUNT.inFlight, this.#inFlight * 2 + claim);
  }

  #letGo(): void {
    if (this.#holders > 0 || this.#inFlight > 0 || this.#waiting > 0 || this.slot === 0) return;
    this.#zone.free(this);
    this.slot = 0;
  }
}
