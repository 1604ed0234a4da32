/**
 * Who waits in this worker for a place at one upstream: first come, first served.
 *
 * A place that becomes free is offered to the workers in turn, so that one whose own requests free and fill it again and again
 * does not keep it from others. A worker that is offered one is woken through shared memory; and in case that whoever should
 * take it is gone or busy, those that wait look for themselves every LOOK_MS. Places are never handed over: who is called
 * tries to take one, and stays at its place in the line when another was faster.
 */
import { performance } from 'node:perf_hooks';
import type { Circuit } from '../../zone/circuits/circuit.ts';

const LOOK_MS = 20;

export interface Waiter {
  /** Tries to take a place, and leaves the line when it has one. */
  ready(): void;
  /** It has waited too long, and is out of the line. */
  late(): void;
}

export class WaitingLine {
  readonly #group: Circuit;
  readonly #max: number;
  readonly #timeoutMs: number;
  /** With the time at which each is late. */
  readonly #line = new Map<Waiter, number>();
  #serving = false;
  #looking = false;
  #called = false;

  constructor(group: Circuit, max: number, timeoutMs: number) {
    this.#group = group;
    this.#max = max;
    this.#timeoutMs = timeoutMs;
  }

  /** Somebody waits, here or in another worker: who comes now has to do so, too. */
  get busy(): boolean {
    return this.#max > 0 && this.#group.waiting > 0;
  }

  has(waiter: Waiter): boolean {
    return this.#line.has(waiter);
  }

  /** False: too many wait already. */
  join(waiter: Waiter): boolean {
    if (this.#line.has(waiter)) return true;
    if (this.#max === 0 || !this.#group.join(this.#max)) return false;
    this.#line.set(waiter, performance.now() + this.#timeoutMs);
    if (!this.#looking) void this.#look();
    return true;
  }

  leave(waiter: Waiter): void {
    if (this.#line.delete(waiter)) this.#group.quit();
  }

  /** A place is free. */
  freed(): void {
    if (this.#max === 0) return;
    const worker = this.#group.nextWaiting();
    if (worker < 0) return;
    if (worker !== this.#group.zone.id) return this.#group.ring(worker);
    if (this.#called) return;
    this.#called = true;
    // Not on the stack of the exchange that ends: its connection is not back in the pool yet.
    queueMicrotask(() => {
      this.#called = false;
      this.#serve();
    });
  }

  #serve(): void {
    if (this.#serving) return;
    this.#serving = true;
    try {
      for (const waiter of this.#line.keys()) {
        waiter.ready();
        if (this.#line.has(waiter)) break;
      }
    } finally {
      this.#serving = false;
    }
  }

  async #look(): Promise<void> {
    this.#looking = true;
    while (this.#line.size > 0) {
      await this.#group.woken(Math.min(LOOK_MS, this.#nextLate()));
      this.#expire();
      this.#serve();
    }
    this.#looking = false;
  }

  /** Milliseconds until the first is late. */
  #nextLate(): number {
    for (const at of this.#line.values()) return Math.max(0, at - performance.now());
    return LOOK_MS;
  }

  #expire(): void {
    const now = performance.now();
    for (const [waiter, at] of this.#line) {
      if (at > now) return;
      this.leave(waiter);
      waiter.late();
    }
  }
}
