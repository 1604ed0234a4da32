/**
 * What balancing has to know of a target node-wide, so that N workers balance as one: requests in flight and the
 * latency. One region of shared memory; workers find a target's slot by its key.
 *
 * - **In flight**: a sum for each slot, which all workers add to (Atomics), and a stripe for each worker of what it
 *   added. Balancers read the sum alone, since a thousand targets times the workers is too much for a request. When a
 *   worker dies the main thread takes its stripe off the sums. A worker changes stripe and sum in one go: a thread is
 *   ended between calls and at loops, not between two neighbouring operations.
 * - **Latency**: peak EWMA, value and time. Two workers that write at the same time lose one sample, no more.
 * - **Slots** are taken at the commit of a snapshot and never on the request path, under a lock that is held for
 *   microseconds and that the main thread opens when its holder has died. A worker says that it holds a slot in a cell
 *   of its own, and lets go when no balancer that it serves has the target and nothing of it is in flight. A slot that
 *   nobody holds keeps key and state, for a target that comes back, until another key takes it. A handle that has let
 *   go points at slot 0, which is nobody's: so a late request cannot touch a slot that is another target's by now.
 *
 * The table is of a fixed size. Who finds no slot in PROBES places has to count for itself (`acquire` answers null).
 */
import { hash32 } from './hash32.ts';
import { monotonicMs } from '../lib/monotonic.ts';

/** Slots of a node: 64 KiB for each worker and kind of stripe. */
const CAPACITY = 16_384;
const PROBES = 64;
/** Milliseconds in which a latency falls to 1/e. */
const DECAY_MS = 10_000;
/** Milliseconds that a target costs that has no answer yet and is asked already: others come first. */
const UNKNOWN_MS = 1000;
/** Milliseconds that count as no time, so that what is in flight still matters. */
const LEAST_MS = 0.01;
/** Integers before the table, the first of which is the lock. */
const HEAD = 16;

interface Shape {
  readonly workers: number;
  /** A power of two. */
  readonly capacity: number;
}

interface Cells {
  readonly lock: Int32Array;
  /** Two for each slot. */
  readonly keys: Int32Array;
  readonly sums: Int32Array;
  readonly latencies: Float64Array;
  readonly touched: Float64Array;
  /** Of each worker. */
  readonly inFlight: readonly Int32Array[];
  readonly held: readonly Int32Array[];
}

function bytesOf({ workers, capacity }: Shape): number {
  return HEAD * 4 + capacity * (2 * 8 + 3 * 4 + workers * 2 * 4);
}

function cellsOf(buffer: SharedArrayBuffer, { workers, capacity }: Shape): Cells {
  let at = HEAD * 4;
  const floats = (): Float64Array => new Float64Array(buffer, (at += capacity * 8) - capacity * 8, capacity);
  const ints = (length: number): Int32Array =>
    new Int32Array(buffer, (at += length * 4) - length * 4, length);
  const stripes = (): Int32Array[] => Array.from({ length: workers }, () => ints(capacity));
  return {
    lock: new Int32Array(buffer, 0, 1),
    latencies: floats(),
    touched: floats(),
    keys: ints(capacity * 2),
    sums: ints(capacity),
    inFlight: stripes(),
    held: stripes(),
  };
}

/** Who wants to know what this worker begins and ends. */
export interface LoadWatcher {
  changed(place: number): void;
}

/** One target, as the worker sees it that holds it. */
export class TargetLoad {
  slot: number;
  readonly key: string;
  readonly #zone: TargetZone;
  /** Balancers that are served and have it. */
  #holders = 0;
  /** Of this worker. */
  #inFlight = 0;
  #watcher: LoadWatcher | null = null;
  #place = 0;

  constructor(zone: TargetZone, key: string, slot: number) {
    this.#zone = zone;
    this.key = key;
    this.slot = slot;
  }

  /** A try on the target begins. */
  begin(): void {
    this.#inFlight++;
    this.#zone.add(this.slot, 1);
    this.#watcher?.changed(this.#place);
  }

  /** The try is over. */
  end(): void {
    this.#inFlight--;
    this.#zone.add(this.slot, -1);
    this.#watcher?.changed(this.#place);
    this.#letGo();
  }

  /** An answer took so many milliseconds. */
  observe(milliseconds: number): void {
    this.#zone.observe(this.slot, milliseconds);
  }

  /** One watches at a time: the last. */
  watch(watcher: LoadWatcher, place: number): void {
    this.#watcher = watcher;
    this.#place = place;
  }

  hold(): void {
    this.#holders++;
  }

  release(): void {
    this.#holders--;
    this.#letGo();
  }

  #letGo(): void {
    if (this.#holders > 0 || this.#inFlight > 0 || this.slot === 0) return;
    this.#zone.free(this);
    this.slot = 0;
  }
}

/** The region as one worker sees it. */
export class TargetZone {
  readonly sums: Int32Array;
  readonly #cells: Cells;
  readonly #id: number;
  readonly #capacity: number;
  readonly #own: Int32Array;
  readonly #held: Int32Array;
  readonly #loads = new Map<string, TargetLoad>();
  /** The clock of all threads less that of this one. */
  readonly #epoch = monotonicMs() - performance.now();

  constructor(buffer: SharedArrayBuffer, workerId: number, shape: Shape) {
    this.#cells = cellsOf(buffer, shape);
    this.#id = workerId;
    this.#capacity = shape.capacity;
    this.sums = this.#cells.sums;
    this.#own = this.#cells.inFlight[workerId] ?? new Int32Array(0);
    this.#held = this.#cells.held[workerId] ?? new Int32Array(0);
  }

  /** A region of its own for so many targets: what is counted there is one worker's alone. */
  static standalone(targets: number): TargetZone {
    const shape = { workers: 1, capacity: 2 ** Math.ceil(Math.log2(Math.max(targets, 16) * 4)) };
    return new TargetZone(new SharedArrayBuffer(bytesOf(shape)), 0, shape);
  }

  /** Milliseconds by the clock of all threads. */
  now(): number {
    return this.#epoch + performance.now();
  }

  /** The handle of a key, to be released once; null when its part of the table is full. Not for the request path. */
  acquire(key: string): TargetLoad | null {
    let load = this.#loads.get(key);
    if (load === undefined) {
      const slot = this.#take(key);
      if (slot === 0) return null;
      this.#loads.set(key, (load = new TargetLoad(this, key, slot)));
    }
    load.hold();
    return load;
  }

  /** Called by the handle that lets go. */
  free(load: TargetLoad): void {
    this.#loads.delete(load.key);
    Atomics.store(this.#held, load.slot, 0);
  }

  add(slot: number, change: 1 | -1): void {
    this.#own[slot]! += change;
    Atomics.add(this.sums, slot, change);
  }

  observe(slot: number, milliseconds: number): void {
    const { latencies, touched } = this.#cells;
    const now = this.now();
    const before = latencies[slot]!;
    const kept = Math.exp(-Math.max(0, now - touched[slot]!) / DECAY_MS);
    const known = touched[slot]! > 0 && milliseconds < before;
    latencies[slot] = known ? before * kept + milliseconds * (1 - kept) : milliseconds;
    touched[slot] = now;
  }

  /** What another request there would have to expect: the decayed latency times those that are before it. */
  expected(slot: number, now: number): number {
    const { latencies, touched } = this.#cells;
    const inFlight = Math.max(0, this.sums[slot]!);
    const then = touched[slot]!;
    if (then === 0) return inFlight * UNKNOWN_MS;
    const latency = latencies[slot]! * Math.exp(-Math.max(0, now - then) / DECAY_MS);
    return Math.max(latency, LEAST_MS) * (inFlight + 1);
  }

  /** 0: none is left. */
  #take(key: string): number {
    const low = hash32(key, 0x9e3779b9) | 1;
    const high = hash32(key, 0x85ebca6b) | 0;
    this.#lock();
    try {
      const slot = this.#find(low, high);
      if (slot > 0) Atomics.store(this.#held, slot, 1);
      return slot;
    } finally {
      Atomics.store(this.#cells.lock, 0, 0);
      Atomics.notify(this.#cells.lock, 0, 1);
    }
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
    if (free > 0) this.#claim(free, low, high);
    return free;
  }

  #unheld(slot: number): boolean {
    return this.#cells.held.every((stripe) => Atomics.load(stripe, slot) === 0);
  }

  #claim(slot: number, low: number, high: number): void {
    const { keys, sums, latencies, touched } = this.#cells;
    sums[slot] = 0;
    latencies[slot] = 0;
    touched[slot] = 0;
    keys[slot * 2] = low;
    keys[slot * 2 + 1] = high;
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

/** The region as the main thread sees it. */
export class NodeTargets {
  readonly buffer: SharedArrayBuffer;
  readonly shape: Shape;
  readonly #cells: Cells;

  constructor(workers: number, capacity = CAPACITY) {
    this.shape = { workers, capacity };
    this.buffer = new SharedArrayBuffer(bytesOf(this.shape));
    this.#cells = cellsOf(this.buffer, this.shape);
  }

  /** After a worker's death: what it had in flight is gone, and it holds nothing. */
  clearWorker(id: number): void {
    const { lock, sums, inFlight, held } = this.#cells;
    if (Atomics.compareExchange(lock, 0, id + 1, 0) === id + 1) Atomics.notify(lock, 0);
    const own = inFlight[id];
    if (own === undefined) throw new RangeError(`no worker ${id}`);
    for (const [slot, count] of own.entries()) if (count !== 0) Atomics.sub(sums, slot, count);
    own.fill(0);
    held[id]?.fill(0);
  }
}
