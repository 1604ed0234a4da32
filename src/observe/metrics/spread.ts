/**
 * How long something took, from samples: their number, their sum, and a histogram whose bins are a quarter of an octave
 * wide (19 %), so that spreads of several threads can be added and any percentile told from them.
 */

/** Milliseconds: the upper end of the first bin, 0.1 µs. */
const LEAST = 1e-4;
const PER_OCTAVE = 4;
/** Up to 2^27 times the least: 13 s. */
const BINS = 27 * PER_OCTAVE + 2;

/** What is told of one; it can be posted. Times in milliseconds. */
export interface SpreadReport {
  readonly samples: number;
  readonly sum: number;
  /** Null: without samples. */
  readonly bins: Uint32Array | null;
}

export const NOTHING_SPREAD: SpreadReport = { samples: 0, sum: 0, bins: null };

export class Spread implements SpreadReport {
  samples = 0;
  sum = 0;
  bins: Uint32Array | null = null;

  add(milliseconds: number): void {
    this.samples++;
    this.sum += milliseconds;
    this.bins ??= new Uint32Array(BINS);
    this.bins[binOf(milliseconds)]! += 1;
  }

  merge({ samples, sum, bins }: SpreadReport): void {
    this.samples += samples;
    this.sum += sum;
    if (bins === null) return;
    this.bins ??= new Uint32Array(BINS);
    for (let bin = 0; bin < BINS; bin++) this.bins[bin]! += bins[bin] ?? 0;
  }
}

function binOf(milliseconds: number): number {
  const bin = Math.ceil(Math.log2(Math.max(milliseconds, LEAST) / LEAST) * PER_OCTAVE);
  return Math.min(bin, BINS - 1);
}

export function meanOf({ samples, sum }: SpreadReport): number {
  return samples === 0 ? 0 : sum / samples;
}

/** The time that this share of the samples did not exceed: the middle of its bin. @param share 0 to 1. */
export function quantileOf({ samples, bins }: SpreadReport, share: number): number {
  if (samples === 0 || bins === null) return 0;
  let left = Math.ceil(samples * share);
  let bin = 0;
  for (; bin < BINS - 1; bin++) if ((left -= bins[bin]!) <= 0) break;
  return LEAST * 2 ** ((bin - 0.5) / PER_OCTAVE);
}
