/** Where what of the zone of circuits lies; circuit-zone.ts says what it is for. */
import type { SlotCells } from '../slot-table.ts';

/** Integers before the table, the first of which is the lock. */
const HEAD = 16;

export interface Shape {
  readonly workers: number;
  /** A power of two. */
  readonly capacity: number;
}

/** Integers of a slot that all workers share. */
export const WORD = {
  /** Of its breaker: word.ts. */
  state: 0,
  /** Failures in a row: 8 bits, and behind them 24 of the era in which they were counted. */
  streak: 1,
  /** Of a group: counts the changes of those that belong to it. */
  epoch: 2,
  /** The slot of its group, or its own. */
  group: 3,
  /** Whose turn it is to hear that a place is free. */
  turn: 4,
} as const;
export const SLOT_WORDS = 8;

/** Integers of a slot that one worker writes. */
export const COUNT = {
  /** Twice the number, and 1 while it is about to take a place. */
  inFlight: 0,
  waiting: 1,
  /** Rung by others when a place is free: all of them write it. */
  bell: 2,
} as const;
export const COUNT_WORDS = 4;

/** The window of a slot that one worker writes. */
export const BUCKETS = 10;
export const WINDOW = {
  /** What it was counted in; RESET while it begins anew. */
  era: 0,
  /** Number of the last bucket. */
  last: 1,
  requests: 2,
  failures: 2 + BUCKETS,
} as const;
export const WINDOW_WORDS = 24;
/** No era is this number. */
export const RESET = -1;

/** Octets of a name, the first two of which are its length. */
const NAME_BYTES = 256;

export interface Cells extends SlotCells {
  readonly words: Int32Array;
  /** Of each slot, those of all workers. */
  readonly counts: Int32Array;
  /** Of each slot, those of all workers. */
  readonly windows: Int32Array;
  readonly names: Uint8Array;
}

export function bytesOf({ workers, capacity }: Shape): number {
  const ints = 2 + SLOT_WORDS + workers * (1 + COUNT_WORDS + WINDOW_WORDS);
  return HEAD * 4 + capacity * (ints * 4 + NAME_BYTES);
}

/** Memory that no slot uses is never touched. */
export function cellsOf(buffer: SharedArrayBuffer, { workers, capacity }: Shape): Cells {
  let at = HEAD * 4;
  const ints = (length: number): Int32Array =>
    new Int32Array(buffer, (at += length * 4) - length * 4, length);
  return {
    lock: new Int32Array(buffer, 0, 1),
    keys: ints(capacity * 2),
    words: ints(capacity * SLOT_WORDS),
    counts: ints(capacity * workers * COUNT_WORDS),
    windows: ints(capacity * workers * WINDOW_WORDS),
    held: Array.from({ length: workers }, () => ints(capacity)),
    names: new Uint8Array(buffer, at, capacity * NAME_BYTES),
  };
}

export function readName(names: Uint8Array, slot: number): string {
  const at = slot * NAME_BYTES;
  const length = Math.min(names[at]! | (names[at + 1]! << 8), NAME_BYTES - 2);
  return Buffer.from(names.subarray(at + 2, at + 2 + length)).toString('utf8');
}

/** What does not fit is left out. */
export function writeName(names: Uint8Array, slot: number, name: string): void {
  const at = slot * NAME_BYTES;
  const bytes = Buffer.alloc(NAME_BYTES - 2);
  const length = bytes.write(name, 'utf8');
  names.set(bytes.subarray(0, length), at + 2);
  names[at] = length & 0xff;
  names[at + 1] = length >> 8;
}
