/**
 * A percentile of what the workers of a node measured: counts by size in the shared counters, one increment for a
 * measurement, read together once in a while. Buckets grow by a fifth of an octave, so that an answer is too large by at
 * most 15 per cent; it is that of the current window and the one before.
 */
import { monotonicMs } from '../../lib/monotonic.ts';
import type { SharedCounters } from '../kit/services.ts';

const PER_OCTAVE = 5;
/** From 1 ms to 65 s; what is outside counts as the first or the last. */
const BUCKETS = 16 * PER_OCTAVE + 1;
const WINDOW_MS = 10_000;
/** Milliseconds for which an answer is kept. */
const FRESH_MS = 500;
/** Measurements below which nothing is known. */
const LEAST = 50;

export class Percentile {
  readonly #counters: SharedCounters;
  readonly #key: string;
  readonly #part: number;
  readonly #clock: () => number;
  #answer: number | null = null;
  #readAt = -Infinity;

  /** @param percent 0 to 100. @param clock milliseconds, the same in all workers. */
  constructor(counters: SharedCounters, key: string, percent: number, clock: () => number = monotonicMs) {
    this.#counters = counters;
    this.#key = key;
    this.#part = percent / 100;
    this.#clock = clock;
  }

  observe(milliseconds: number): void {
    const window = Math.floor(this.#clock() / WINDOW_MS);
    this.#counters.increment(`${this.#key}/${window}/${bucketOf(milliseconds)}`, 1, 2 * WINDOW_MS);
  }

  /** Milliseconds, whole; null: too little was measured. */
  get(): number | null {
    const now = this.#clock();
    if (now - this.#readAt < FRESH_MS) return this.#answer;
    this.#readAt = now;
    return (this.#answer = this.#read(Math.floor(now / WINDOW_MS)));
  }

  #read(window: number): number | null {
    const counts: number[] = [];
    let all = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const count =
        this.#counters.get(`${this.#key}/${window}/${bucket}`) +
        this.#counters.get(`${this.#key}/${window - 1}/${bucket}`);
      counts.push(count);
      all += count;
    }
    if (all < LEAST) return null;
    let below = 0;
    for (const [bucket, count] of counts.entries()) {
      below += count;
      if (below >= all * this.#part) return Math.ceil(boundOf(bucket));
    }
    return Math.ceil(boundOf(BUCKETS - 1));
  }
}

function bucketOf(milliseconds: number): number {
  return Math.min(BUCKETS - 1, Math.max(0, Math.ceil(Math.log2(milliseconds) * PER_OCTAVE)));
}

/** The largest that counts as this. */
function boundOf(bucket: number): number {
  return 2 ** (bucket / PER_OCTAVE);
}
