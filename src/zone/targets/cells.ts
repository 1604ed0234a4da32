/** Where what of the zone of targets lies; target-zone.ts says what it is for. */

/** Integers before the table, the first of which is the lock. */
const HEAD = 16;

export interface Shape {
  readonly workers: number;
  /** A power of two. */
  readonly capacity: number;
}

export interface Cells {
  readonly lock: Int32Array;
  /** Two for each slot. */
  readonly keys: Int32Array;
  /** Of each slot, those of all workers. */
  readonly inFlight: Int32Array;
  readonly latencies: Float64Array;
  readonly touched: Float64Array;
  /** When the target came to an upstream that was serving; 0: with it. */
  readonly born: Float64Array;
  /** Of each worker. */
  readonly held: readonly Int32Array[];
}

export function bytesOf({ workers, capacity }: Shape): number {
  return HEAD * 4 + capacity * (3 * 8 + 2 * 4 + workers * 2 * 4);
}

export function cellsOf(buffer: SharedArrayBuffer, { workers, capacity }: Shape): Cells {
  let at = HEAD * 4;
  const floats = (): Float64Array => new Float64Array(buffer, (at += capacity * 8) - capacity * 8, capacity);
  const ints = (length: number): Int32Array =>
    new Int32Array(buffer, (at += length * 4) - length * 4, length);
  return {
    lock: new Int32Array(buffer, 0, 1),
    latencies: floats(),
    touched: floats(),
    born: floats(),
    keys: ints(capacity * 2),
    inFlight: ints(capacity * workers),
    held: Array.from({ length: workers }, () => ints(capacity)),
  };
}
