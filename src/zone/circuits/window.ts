/** Requests and failures of a sliding window: a ring of buckets for each circuit and worker, added up by who asks. */
import { BUCKETS, RESET, WINDOW, WINDOW_WORDS } from './cells.ts';
import type { Circuit } from './circuit.ts';

/** Counts one request of this worker. @param era of the breaker. @param now milliseconds by the clock of all threads. */
export function record(circuit: Circuit, era: number, failed: boolean, windowMs: number, now: number): void {
  if (circuit.slot === 0) return;
  const { cells, workers, id } = circuit.zone;
  const { windows } = cells;
  const at = (circuit.slot * workers + id) * WINDOW_WORDS;
  const bucket = bucketOf(now, windowMs);
  if (windows[at + WINDOW.era] !== era) begin(windows, at, era, bucket);
  else if (windows[at + WINDOW.last] !== bucket) advance(windows, at, bucket);
  const place = bucket % BUCKETS;
  windows[at + WINDOW.requests + place]!++;
  if (failed) windows[at + WINDOW.failures + place]!++;
}

/** What all workers have counted; filled in anew by each call. */
export interface Sum {
  requests: number;
  failures: number;
}

export function sumOf(circuit: Circuit, era: number, windowMs: number, now: number, sum: Sum): Sum {
  sum.requests = sum.failures = 0;
  const { cells, workers } = circuit.zone;
  const bucket = bucketOf(now, windowMs);
  for (let worker = 0; worker < workers; worker++) {
    add(cells.windows, (circuit.slot * workers + worker) * WINDOW_WORDS, era, bucket, sum);
  }
  return sum;
}

function add(windows: Int32Array, at: number, era: number, now: number, sum: Sum): void {
  if (Atomics.load(windows, at + WINDOW.era) !== era) return;
  const last = windows[at + WINDOW.last]!;
  for (let n = 0; n < BUCKETS; n++) {
    const bucket = last - n;
    if (bucket < 0 || now - bucket >= BUCKETS) return;
    const place = bucket % BUCKETS;
    sum.requests += windows[at + WINDOW.requests + place]!;
    sum.failures += windows[at + WINDOW.failures + place]!;
  }
}

/** Whoever reads meanwhile finds either era, or none, but never one with the counts of the other. */
function begin(windows: Int32Array, at: number, era: number, bucket: number): void {
  Atomics.store(windows, at + WINDOW.era, RESET);
  windows.fill(0, at + WINDOW.requests, at + WINDOW.requests + 2 * BUCKETS);
  windows[at + WINDOW.last] = bucket;
  Atomics.store(windows, at + WINDOW.era, era);
}

/** Clears the buckets between; where another width came with a configuration, all. */
function advance(windows: Int32Array, at: number, bucket: number): void {
  const steps = bucket - windows[at + WINDOW.last]!;
  const cleared = steps < 0 || steps > BUCKETS ? BUCKETS : steps;
  for (let n = 0; n < cleared; n++) {
    const place = (bucket - n + BUCKETS) % BUCKETS;
    windows[at + WINDOW.requests + place] = 0;
    windows[at + WINDOW.failures + place] = 0;
  }
  Atomics.store(windows, at + WINDOW.last, bucket);
}

/** 31 bits: with the narrowest buckets of 10 ms they begin anew after eight months. */
function bucketOf(now: number, windowMs: number): number {
  return Math.floor((now * BUCKETS) / windowMs) % 2 ** 31;
}
