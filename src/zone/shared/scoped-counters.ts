/** Numbers of one scope in the shared zone. */
import type { Hash64 } from './hash64.ts';
import { BLOCK, BLOCK_INTS } from './layout.ts';
import type { SharedZone } from './shared-zone.ts';

export class ScopedCounters {
  readonly #zone: SharedZone;
  readonly #hash: Hash64;

  constructor(zone: SharedZone, hash: Hash64) {
    this.#zone = zone;
    this.#hash = hash;
  }

  /**
   * Adds and answers the new value; a key that is not there begins at 0.
   *
   * @param ttlMs from its first increment on; none: until room is needed.
   * @throws RangeError
   */
  increment(key: string, by = 1, ttlMs = Infinity): number {
    if (!Number.isFinite(by)) throw new RangeError(`by: ${by}`);
    if (!(ttlMs > 0)) throw new RangeError(`ttlMs: ${ttlMs}`);
    const hash = this.#hash;
    const zone = this.#zone;
    const { shards } = zone;
    hash.of(key);
    const { low, high } = hash;
    const shard = zone.shardOf(high);
    const now = zone.now();
    zone.hold(shard);
    try {
      const block = shards.find(shard, low, high, now);
      if (block === 0) {
        shards.addCounter(shard, low, high, by, now + ttlMs);
        return by;
      }
      return (shards.views.floats[(block * BLOCK_INTS + BLOCK.length) >> 1]! += by);
    } finally {
      zone.release(shard);
    }
  }

  /** 0 when the key is not there. */
  get(key: string): number {
    const hash = this.#hash;
    const zone = this.#zone;
    const { shards } = zone;
    hash.of(key);
    const { low, high } = hash;
    const shard = zone.shardOf(high);
    const now = zone.now();
    zone.hold(shard);
    try {
      const block = shards.find(shard, low, high, now);
      return block === 0 ? 0 : shards.views.floats[(block * BLOCK_INTS + BLOCK.length) >> 1]!;
    } finally {
      zone.release(shard);
    }
  }

  delete(key: string): void {
    const hash = this.#hash;
    const zone = this.#zone;
    const { shards } = zone;
    hash.of(key);
    const { low, high } = hash;
    const shard = zone.shardOf(high);
    const now = zone.now();
    zone.hold(shard);
    try {
      const block = shards.find(shard, low, high, now);
      if (block !== 0) shards.remove(shard, block);
    } finally {
      zone.release(shard);
    }
  }
}
