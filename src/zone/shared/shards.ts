/**
 * The shards of the shared zone: chains of entries by hash, a list of free blocks, and a hand that makes room. Whoever
 * calls holds the shard.
 *
 * A thread can be ended between any two operations. What it leaves is mended (mend.ts) from the blocks alone: so a block
 * says last that it is an entry, and first that it is none any more.
 */
import {
  BLOCK,
  BLOCK_INTS,
  CONTROL,
  CONTROL_INTS,
  DATA_BYTES,
  DATA_INT,
  HEAD,
  INLINE_BYTES,
  KIND,
  type SharedViews,
} from './layout.ts';

export class Shards {
  readonly views: SharedViews;
  readonly count: number;
  /** Of each. */
  readonly blocks: number;
  readonly #buckets: number;

  constructor(views: SharedViews) {
    this.views = views;
    this.count = views.head[HEAD.shards]!;
    this.blocks = views.head[HEAD.blocks]!;
    this.#buckets = views.head[HEAD.buckets]!;
  }

  /** The block of the entry, or 0. One whose time is over gives way. */
  find(shard: number, low: number, high: number, now: number): number {
    const { ints, floats } = this.views;
    let block = this.views.buckets[this.bucketOf(shard, low)]!;
    while (block !== 0) {
      const at = block * BLOCK_INTS;
      if (ints[at + BLOCK.low] === low && ints[at + BLOCK.high] === high) {
        if (floats[(at + BLOCK.end) >> 1]! > now) {
          ints[at + BLOCK.used] = 1;
          return block;
        }
        this.remove(shard, block);
        return 0;
      }
      block = ints[at + BLOCK.next]!;
    }
    return 0;
  }

  addCounter(shard: number, low: number, high: number, value: number, end: number): void {
    const block = this.#take(shard);
    this.views.floats[(block * BLOCK_INTS + BLOCK.length) >> 1] = value;
    this.#name(block, low, high, end);
    this.#enter(shard, block, KIND.counter);
  }

  addValue(shard: number, low: number, high: number, value: Uint8Array, end: number): void {
    const { ints, bytes } = this.views;
    const block = this.#take(shard);
    const at = block * BLOCK_INTS;
    const { length } = value;
    ints[at + BLOCK.length] = length;
    ints[at + BLOCK.first] = 0;
    if (length <= INLINE_BYTES) {
      for (let i = 0; i < length; i++) bytes[(at + BLOCK.inline) * 4 + i] = value[i]!;
    } else {
      // From its end, so that each block knows its next.
      let next = 0;
      for (let from = length - 1 - ((length - 1) % DATA_BYTES); from >= 0; from -= DATA_BYTES) {
        next = this.#putData(shard, value, from, next);
      }
      ints[at + BLOCK.first] = next;
    }
    this.#name(block, low, high, end);
    this.#enter(shard, block, KIND.value);
  }

  readValue(block: number): Buffer {
    const { ints, bytes } = this.views;
    const at = block * BLOCK_INTS;
    const length = ints[at + BLOCK.length]!;
    const value = Buffer.allocUnsafe(length);
    if (length <= INLINE_BYTES) {
      for (let i = 0; i < length; i++) value[i] = bytes[(at + BLOCK.inline) * 4 + i]!;
      return value;
    }
    let data = ints[at + BLOCK.first]!;
    for (let from = 0; from < length; from += DATA_BYTES) {
      const start = (data * BLOCK_INTS + DATA_INT) * 4 - from;
      const end = Math.min(length, from + DATA_BYTES);
      for (let i = from; i < end; i++) value[i] = bytes[start + i]!;
      data = ints[data * BLOCK_INTS + BLOCK.next]!;
    }
    return value;
  }

  remove(shard: number, block: number): void {
    const { ints, buckets } = this.views;
    const at = block * BLOCK_INTS;
    const bucket = this.bucketOf(shard, ints[at + BLOCK.low]!);
    const next = ints[at + BLOCK.next]!;
    const isValue = ints[at + BLOCK.kind] === KIND.value && ints[at + BLOCK.length]! > INLINE_BYTES;
    const first = isValue ? ints[at + BLOCK.first]! : 0;
    ints[at + BLOCK.kind] = KIND.free;
    let before = buckets[bucket]!;
    if (before === block) buckets[bucket] = next;
    else {
      while (ints[before * BLOCK_INTS + BLOCK.next] !== block)
        before = ints[before * BLOCK_INTS + BLOCK.next]!;
      ints[before * BLOCK_INTS + BLOCK.next] = next;
    }
    this.views.control[shard * CONTROL_INTS + CONTROL.entries]! -= 1;
    this.free(shard, block);
    for (let data = first; data !== 0;) {
      const after = ints[data * BLOCK_INTS + BLOCK.next]!;
      this.free(shard, data);
      data = after;
    }
  }

  free(shard: number, block: number): void {
    const { ints, control } = this.views;
    const free = shard * CONTROL_INTS + CONTROL.free;
    ints[block * BLOCK_INTS + BLOCK.kind] = KIND.free;
    ints[block * BLOCK_INTS + BLOCK.next] = control[free]!;
    control[free] = block;
  }

  /** Puts an entry into the chain of its bucket. */
  link(shard: number, block: number): void {
    const { ints, buckets, control } = this.views;
    const at = block * BLOCK_INTS;
    const bucket = this.bucketOf(shard, ints[at + BLOCK.low]!);
    ints[at + BLOCK.next] = buckets[bucket]!;
    buckets[bucket] = block;
    control[shard * CONTROL_INTS + CONTROL.entries]! += 1;
  }

  bucketOf(shard: number, low: number): number {
    return shard * this.#buckets + (low & (this.#buckets - 1));
  }

  /** Of a shard. */
  clearBuckets(shard: number): void {
    this.views.buckets.fill(0, shard * this.#buckets, (shard + 1) * this.#buckets);
  }

  #name(block: number, low: number, high: number, end: number): void {
    const { ints, floats } = this.views;
    const at = block * BLOCK_INTS;
    floats[(at + BLOCK.end) >> 1] = end;
    ints[at + BLOCK.low] = low;
    ints[at + BLOCK.high] = high;
    ints[at + BLOCK.used] = 0;
  }

  #enter(shard: number, block: number, kind: number): void {
    this.views.ints[block * BLOCK_INTS + BLOCK.kind] = kind;
    this.link(shard, block);
  }

  #putData(shard: number, value: Uint8Array, from: number, next: number): number {
    const { ints, bytes } = this.views;
    const data = this.#take(shard);
    const at = data * BLOCK_INTS;
    ints[at + BLOCK.next] = next;
    ints[at + BLOCK.kind] = KIND.data;
    const start = (at + DATA_INT) * 4 - from;
    const end = Math.min(value.length, from + DATA_BYTES);
    for (let i = from; i < end; i++) bytes[start + i] = value[i]!;
    return data;
  }

  /** A block that is nobody's. */
  #take(shard: number): number {
    const { ints, control } = this.views;
    const own = shard * CONTROL_INTS;
    if (control[own + CONTROL.free] === 0) {
      const fresh = control[own + CONTROL.fresh]!;
      if (fresh < (shard + 1) * this.blocks) {
        control[own + CONTROL.fresh] = fresh + 1;
        return fresh;
      }
      this.#makeRoom(shard);
    }
    const block = control[own + CONTROL.free]!;
    control[own + CONTROL.free] = ints[block * BLOCK_INTS + BLOCK.next]!;
    return block;
  }

  /** Removes one entry: the next that nobody has asked for since the hand came by. */
  #makeRoom(shard: number): void {
    const { ints, control } = this.views;
    const own = shard * CONTROL_INTS;
    for (;;) {
      const block = control[own + CONTROL.hand]!;
      const last = block === (shard + 1) * this.blocks - 1;
      control[own + CONTROL.hand] = last ? shard * this.blocks + 1 : block + 1;
      const at = block * BLOCK_INTS;
      const kind = ints[at + BLOCK.kind];
      if (kind !== KIND.counter && kind !== KIND.value) continue;
      if (ints[at + BLOCK.used] === 1) {
        ints[at + BLOCK.used] = 0;
        continue;
      }
      control[own + CONTROL.evicted]! += 1;
      this.remove(shard, block);
      return;
    }
  }
}
