/**
 * The health of targets, as every thread sees it: one state and consecutive counters for each address, for all workers.
 *
 * Slots are given out by the main thread alone (health-writer.ts). Whoever has found one keeps a handle: the slot and the
 * generation that it had. A handle is asked whether it still lives right before each use; since a slot is given out again
 * only when every worker has been back in its event loop meanwhile, it cannot change hands between question and use.
 *
 * Counting is one word and a compare-and-swap, and nothing waits. In the ordinary case, a success of a healthy target
 * that has not failed lately, nothing is written at all. The four counters are consecutive: a success takes the failures
 * away, a failure the successes. Whoever brings a counter to its limit turns the state over, and one alone does.
 */
import { monotonicMs } from '../../lib/monotonic.ts';
import {
  ALLOCATIONS,
  BACK,
  bucketOf,
  CHANGES,
  COUNTERS,
  EPOCH,
  GENERATION,
  GROUP,
  HEALTH_BYTES,
  type HealthKey,
  KEY,
  LEFT,
  NEXT,
  SLOT_WORDS,
  SLOTS_AT,
  STATE,
} from './layout.ts';

export interface HealthHandle {
  /** Index of its first word. */
  readonly at: number;
  readonly generation: number;
}

/** Kinds of failure, by their place in the word of counters. */
export const FAILURE = { tcp: 8, timeout: 16, http: 24 } as const;
export type Failure = (typeof FAILURE)[keyof typeof FAILURE];

const SUCCESSES = 0xff;
const MAX_COUNT = 0xff;
/** Milliseconds of which `BACK` counts one: so a word lasts for years. */
const BACK_MS = 100;
const HEALTHY = 0;
const UNHEALTHY = 1;

export class HealthZone {
  readonly words: Int32Array;
  readonly #now: () => number;

  /** @param now milliseconds by the clock of all threads. */
  constructor(buffer: SharedArrayBuffer, now: () => number = monotonicMs) {
    this.words = new Int32Array(buffer);
    this.#now = now;
  }

  static buffer(): SharedArrayBuffer {
    return new SharedArrayBuffer(HEALTH_BYTES);
  }

  /** Counts what was given out and taken back: as long as it stands still, what was not found is not there. */
  get allocations(): number {
    return Atomics.load(this.words, ALLOCATIONS);
  }

  find(key: HealthKey): HealthHandle | null {
    const { words } = this;
    let next = Atomics.load(words, bucketOf(key));
    while (next !== 0) {
      const at = SLOTS_AT + (next - 1) * SLOT_WORDS;
      if (key.every((word, i) => words[at + KEY + i] === word)) {
        return { at, generation: words[at + GENERATION]! };
      }
      next = Atomics.load(words, at + NEXT);
    }
    return null;
  }

  lives({ at, generation }: HealthHandle): boolean {
    return Atomics.load(this.words, at + GENERATION) === generation;
  }

  /** A slot that was taken back is no reason to leave a target out. */
  healthy(handle: HealthHandle): boolean {
    return Atomics.load(this.words, handle.at + STATE) === HEALTHY || !this.lives(handle);
  }

  /** Its target has other addresses now, or is gone: the state says nothing of it. */
  left({ at }: HealthHandle): boolean {
    return Atomics.load(this.words, at + LEFT) === 1;
  }

  /** When it became healthy again, in milliseconds by the clock of all threads; 0: it never was otherwise. */
  backSince({ at }: HealthHandle): number {
    return Atomics.load(this.words, at + BACK) * BACK_MS;
  }

  /** How often its state has changed. */
  changes({ at }: HealthHandle): number {
    return Atomics.load(this.words, at + CHANGES) >>> 0;
  }

  /** Of a group. */
  epoch({ at }: HealthHandle): number {
    return Atomics.load(this.words, at + EPOCH);
  }

  /**
   * A success of this address.
   * @param limit successes after which it is healthy again; 0: however many, it is not.
   * @returns it is healthy from now on.
   */
  succeeded(handle: HealthHandle, limit: number): boolean {
    const { words } = this;
    const at = handle.at + COUNTERS;
    if (!this.lives(handle)) return false;
    const unhealthy = Atomics.load(words, handle.at + STATE) === UNHEALTHY;
    for (;;) {
      const old = Atomics.load(words, at);
      const count = Math.min((old & SUCCESSES) + 1, MAX_COUNT);
      const next = unhealthy && limit > 0 ? count : 0;
      if (next !== old && Atomics.compareExchange(words, at, old, next) !== old) continue;
      return unhealthy && limit > 0 && count >= limit && this.#turn(handle, UNHEALTHY, HEALTHY);
    }
  }

  /**
   * A failure of this address.
   * @param limit failures of this kind after which it is unhealthy; 0: however many, it is not.
   * @returns it is unhealthy from now on.
   */
  failed(handle: HealthHandle, kind: Failure, limit: number): boolean {
    const { words } = this;
    const at = handle.at + COUNTERS;
    if (!this.lives(handle)) return false;
    const healthy = Atomics.load(words, handle.at + STATE) === HEALTHY;
    for (;;) {
      const old = Atomics.load(words, at);
      const count = Math.min(((old >>> kind) & MAX_COUNT) + 1, MAX_COUNT);
      const others = old & ~SUCCESSES & ~(MAX_COUNT << kind);
      const next = healthy && limit > 0 ? others | (count << kind) : old & ~SUCCESSES;
      if (next !== old && Atomics.compareExchange(words, at, old, next) !== old) continue;
      return healthy && limit > 0 && count >= limit && this.#turn(handle, HEALTHY, UNHEALTHY);
    }
  }

  /** Somebody says so. The counters begin anew. @returns it was otherwise. */
  force(handle: HealthHandle, healthy: boolean): boolean {
    if (!this.lives(handle)) return false;
    Atomics.store(this.words, handle.at + COUNTERS, 0);
    return healthy ? this.#turn(handle, UNHEALTHY, HEALTHY) : this.#turn(handle, HEALTHY, UNHEALTHY);
  }

  #turn({ at }: HealthHandle, from: number, to: number): boolean {
    const { words } = this;
    if (Atomics.load(words, at + STATE) !== from) return false;
    // Before: whoever sees that it is healthy sees since when.
    if (to === HEALTHY) Atomics.store(words, at + BACK, Math.max(1, Math.floor(this.#now() / BACK_MS)));
    if (Atomics.compareExchange(words, at + STATE, from, to) !== from) return false;
    Atomics.store(words, at + COUNTERS, 0);
    Atomics.add(words, at + CHANGES, 1);
    Atomics.add(words, words[at + GROUP]! + EPOCH, 1);
    return true;
  }
}
