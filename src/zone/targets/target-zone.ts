/**
 * What balancing has to know of a target node-wide, so that N workers balance as one: requests in flight and the
 * latency. One region of shared memory; workers find a target's slot by its key.
 *
 * - **In flight**: a count for each slot and worker, side by side, which its worker alone writes and which are summed
 *   when they are read; the main thread zeroes those of a worker that has died. (A sum that all of them add to would be
 *   read sooner. But a thread can be ended between any two operations, and then sum and counts no longer agree.)
 * - **Latency**: peak EWMA, value and time. Two workers that write at the same time lose one sample, no more.
 * - **Born**: when the target came to an upstream that was serving already, so that all workers ramp it up alike. The first
 *   that takes it into service says so; the others come within `SAME_MS`. A slot that is held may be so by a request of the
 *   target's former time, such as a WebSocket.
 * - **Slots** (slot-table.ts) are taken at the commit of a snapshot and never on the request path. A worker lets go of one
 *   when no balancer that it serves has the target and nothing of it is in flight. A late request cannot touch a slot that
 *   is another target's by now: a handle that has let go points at slot 0.
 *
 * Who finds no slot has to count for itself (`acquire` answers null).
 */
import { monotonicMs } from '../../lib/monotonic.ts';
import { SlotTable } from '../slot-table.ts';
import { bytesOf, cellsOf, type Cells, type Shape } from './cells.ts';
import { TargetLoad } from './target-load.ts';

/** Milliseconds in which a latency falls to 1/e. */
const DECAY_MS = 10_000;
/** Milliseconds that a target costs that has no answer yet and is asked already: others come first. */
const UNKNOWN_MS = 1000;
/** Milliseconds in which all workers have begun to serve a change, however busy they are. */
const SAME_MS = 10_000;
/** Milliseconds that count as no time, so that what is in flight still matters. */
const LEAST_MS = 0.01;

/** The region as one worker sees it. */
export class TargetZone {
  readonly workers: number;
  readonly #cells: Cells;
  readonly #inFlight: Int32Array;
  readonly #id: number;
  readonly #slots: SlotTable;
  readonly #loads = new Map<string, TargetLoad>();
  /** The clock of all threads less that of this one. */
  readonly #epoch = monotonicMs() - performance.now();
  readonly #clock: () => number;

  /** @param clock milliseconds of this thread. */
  constructor(
    buffer: SharedArrayBuffer,
    workerId: number,
    shape: Shape,
    clock = (): number => performance.now(),
  ) {
    this.#clock = clock;
    this.#cells = cellsOf(buffer, shape);
    this.#id = workerId;
    this.#slots = new SlotTable(this.#cells, workerId, shape.capacity, (slot) => this.#claim(slot));
    this.workers = shape.workers;
    this.#inFlight = this.#cells.inFlight;
  }

  /** A region of its own for so many targets: what is counted there is one worker's alone. */
  static standalone(targets: number): TargetZone {
    const shape = { workers: 1, capacity: 2 ** Math.ceil(Math.log2(Math.max(targets, 16) * 4)) };
    return new TargetZone(new SharedArrayBuffer(bytesOf(shape)), 0, shape);
  }

  /** Milliseconds by the clock of all threads. */
  now(): number {
    return this.#epoch + this.#clock();
  }

  /**
   * The handle of a key, to be released once; null when its part of the table is full. Not for the request path.
   *
   * @param born when the target came, where it has just come; 0: it was there.
   */
  acquire(key: string, born = 0): TargetLoad | null {
    let load = this.#loads.get(key);
    if (load === undefined) {
      const slot = this.#slots.take(key, (unheld) => {
        if (born > 0) this.#cells.born[unheld] = born;
      });
      if (slot === 0) return null;
      this.#loads.set(key, (load = new TargetLoad(this, key, slot)));
    }
    if (born - this.bornAt(load.slot) > SAME_MS) this.#cells.born[load.slot] = born;
    load.hold();
    return load;
  }

  /** Called by the handle that lets go. */
  free(load: TargetLoad): void {
    this.#loads.delete(load.key);
    this.#slots.release(load.slot);
  }

  add(slot: number, change: 1 | -1): void {
    this.#inFlight[slot * this.workers + this.#id]! += change;
  }

  /** Of all workers. */
  inFlight(slot: number): number {
    const all = this.#inFlight;
    const end = (slot + 1) * this.workers;
    let sum = 0;
    for (let at = end - this.workers; at < end; at++) sum += all[at]!;
    return sum;
  }

  /** When the target came to an upstream that was serving, by `now`; 0: it was there from the beginning. */
  bornAt(slot: number): number {
    return this.#cells.born[slot]!;
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
    const inFlight = this.inFlight(slot);
    const then = touched[slot]!;
    if (then === 0) return inFlight * UNKNOWN_MS;
    const latency = latencies[slot]! * Math.exp(-Math.max(0, now - then) / DECAY_MS);
    return Math.max(latency, LEAST_MS) * (inFlight + 1);
  }

  #claim(slot: number): void {
    this.#cells.born[slot] = 0;
    this.#cells.latencies[slot] = 0;
    this.#cells.touched[slot] = 0;
  }
}
