/** Texts and octets of one scope in the shared zone. */
import type { Hash64 } from './hash64.ts';
import { MAX_VALUE } from './layout.ts';
import type { SharedZone } from './shared-zone.ts';

export class ScopedValues {
  readonly #zone: SharedZone;
  readonly #hash: Hash64;

  constructor(zone: SharedZone, hash: Hash64) {
    this.#zone = zone;
    this.#hash = hash;
  }

  get(key: string): Buffer | null {
    return this.#held(key, (_shard, block) => (block === 0 ? null : this.#zone.shards.readValue(block)));
  }

  /** False: it is larger than one value may be. @param ttlMs none: until room is needed. @throws RangeError */
  set(key: string, value: Uint8Array | string, ttlMs = Infinity): boolean {
    return this.#put(key, value, ttlMs, true);
  }

  /** As `set`, but only where there is none: true for one caller on the whole node. */
  add(key: string, value: Uint8Array | string, ttlMs = Infinity): boolean {
    return this.#put(key, value, ttlMs, false);
  }

  delete(key: string): void {
    this.#held(key, (shard, block) => {
      if (block !== 0) this.#zone.shards.remove(shard, block);
    });
  }

  #put(key: string, value: Uint8Array | string, ttlMs: number, replaces: boolean): boolean {
    if (!(ttlMs > 0)) throw new RangeError(`ttlMs: ${ttlMs}`);
    const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
    if (bytes.length > MAX_VALUE) return false;
    return this.#held(key, (shard, block, now) => {
      const { shards } = this.#zone;
      if (block !== 0) {
        if (!replaces) return false;
        shards.remove(shard, block);
      }
      shards.addValue(shard, this.#hash.low, this.#hash.high, bytes, now + ttlMs);
      return true;
    });
  }

  /** @param work what is done while the shard is held, with the key's block or 0. */
  #held<T>(key: string, work: (shard: number, block: number, now: number) => T): T {
    const zone = this.#zone;
    this.#hash.of(key);
    const { low, high } = this.#hash;
    const shard = zone.shardOf(high);
    const now = zone.now();
    zone.hold(shard);
    try {
      return work(shard, zone.shards.find(shard, low, high, now), now);
    } finally {
      zone.release(shard);
    }
  }
}
