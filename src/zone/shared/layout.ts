/**
 * Where what of the shared zone lies; shared-zone.ts says what it is for.
 *
 *     head      integers of the whole zone (HEAD), one page
 *     control   for each shard sixteen integers (CONTROL), a cache line
 *     buckets   for each shard the first blocks of its chains
 *     blocks    of 64 octets; block n lies at n * 16 integers. The first block of a shard is not used, so that 0 is none
 *
 * Memory that nobody has written is not there for the system: the zone costs what was in it at most.
 */
import { randomBytes } from 'node:crypto';

export const HEAD = {
  shards: 0,
  /** Of each shard. */
  blocks: 1,
  buckets: 2,
  key0: 3,
  key1: 4,
  /** Who does what one worker of the node does: its number from 1, or 0. */
  leader: 5,
} as const;

/** Integers of a shard. */
export const CONTROL = {
  /** The number (from 1) of the thread that holds the shard, with WAITED when others wait; 0: free. */
  lock: 0,
  /** The first of the blocks that were given back; 0: none. */
  free: 1,
  /** Blocks from this one on were never used. */
  fresh: 2,
  /** Where the search for room goes on. */
  hand: 3,
  /** Entries that there are. */
  entries: 4,
  /** Entries that made room before their end. */
  evicted: 5,
} as const;
export const CONTROL_INTS = 16;

export const WAITED = 1 << 30;

/** Integers of a block. */
export const BLOCK = {
  kind: 0,
  /** Of a chain: of the bucket, of the data, of the free ones. */
  next: 1,
  /** Of a value: octets. A counter has its number in this one and the next, as a float. */
  length: 2,
  /** Milliseconds by the zone's clock, a float. */
  end: 4,
  low: 6,
  high: 7,
  /** It was asked for since the hand came by. */
  used: 8,
  /** Of a value that does not fit in: the first block of its data. */
  first: 9,
  /** Data of a short value. */
  inline: 10,
} as const;
export const BLOCK_INTS = 16;
const BLOCK_BYTES = BLOCK_INTS * 4;
export const INLINE_BYTES = (BLOCK_INTS - BLOCK.inline) * 4;
/** Of a block of data: where its octets begin. */
export const DATA_INT = 2;
export const DATA_BYTES = (BLOCK_INTS - DATA_INT) * 4;

export const KIND = { free: 0, counter: 1, value: 2, data: 3 } as const;

/** Octets of one value. */
export const MAX_VALUE = 64 * 1024;

const PAGE = 4096;
const MAX_SHARDS = 64;
/** Octets: one value of the largest size may not take most of a shard. */
const SHARD_BYTES = 256 * 1024;

export interface SharedViews {
  readonly head: Int32Array;
  readonly control: Int32Array;
  readonly buckets: Int32Array;
  readonly ints: Int32Array;
  readonly floats: Float64Array;
  readonly bytes: Uint8Array;
}

/** @param bytes about; SHARD_BYTES at least. */
export function makeZone(bytes: number): SharedArrayBuffer {
  const room = Math.max(bytes, SHARD_BYTES);
  const shards = 2 ** Math.floor(Math.log2(Math.min(MAX_SHARDS, room / SHARD_BYTES)));
  const blocks = Math.floor((room - PAGE) / shards / (BLOCK_BYTES + 2));
  // One for two blocks, rounded down to a power of two.
  const buckets = 2 ** Math.floor(Math.log2(blocks / 2));
  const buffer = new SharedArrayBuffer(sizeOf(shards, blocks, buckets));
  const head = new Int32Array(buffer, 0, BLOCK_INTS);
  const key = randomBytes(8);
  head[HEAD.shards] = shards;
  head[HEAD.blocks] = blocks;
  head[HEAD.buckets] = buckets;
  head[HEAD.key0] = key.readInt32LE(0);
  head[HEAD.key1] = key.readInt32LE(4);
  const { control } = viewsOf(buffer);
  for (let shard = 0; shard < shards; shard++) {
    control[shard * CONTROL_INTS + CONTROL.fresh] = shard * blocks + 1;
    control[shard * CONTROL_INTS + CONTROL.hand] = shard * blocks + 1;
  }
  return buffer;
}

function sizeOf(shards: number, blocks: number, buckets: number): number {
  return blocksAt(shards, buckets) + shards * blocks * BLOCK_BYTES;
}

function blocksAt(shards: number, buckets: number): number {
  return Math.ceil((PAGE + shards * (CONTROL_INTS + buckets) * 4) / PAGE) * PAGE;
}

export function viewsOf(buffer: SharedArrayBuffer): SharedViews {
  const head = new Int32Array(buffer, 0, BLOCK_INTS);
  const [shards = 0, blocks = 0, buckets = 0] = head;
  const data = blocksAt(shards, buckets);
  const length = shards * blocks * BLOCK_BYTES;
  return {
    head,
    control: new Int32Array(buffer, PAGE, shards * CONTROL_INTS),
    buckets: new Int32Array(buffer, PAGE + shards * CONTROL_INTS * 4, shards * buckets),
    ints: new Int32Array(buffer, data, length / 4),
    floats: new Float64Array(buffer, data, length / 8),
    bytes: new Uint8Array(buffer, data, length),
  };
}
