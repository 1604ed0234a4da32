/** The shared zone as the main thread sees it: it makes the region, and puts right what dead workers leave. */
import { CONTROL, CONTROL_INTS, HEAD, makeZone, viewsOf, WAITED, type SharedViews } from './layout.ts';
import { mendShard } from './mend.ts';
import { Shards } from './shards.ts';

export interface SharedUsage {
  /** Octets of the whole region. */
  readonly size: number;
  readonly entries: number;
  /** Blocks that were ever used, of those that there are. */
  readonly touched: number;
  readonly blocks: number;
  /** Entries that made room before their end. */
  readonly evicted: number;
}

export class NodeSharedZone {
  readonly buffer: SharedArrayBuffer;
  readonly #views: SharedViews;
  readonly #shards: Shards;

  constructor(bytes: number) {
    this.buffer = makeZone(bytes);
    this.#views = viewsOf(this.buffer);
    this.#shards = new Shards(this.#views);
  }

  /** After a worker's death: what it held is mended, and it leads no more. Answers how many shards it held. */
  clearWorker(id: number): number {
    const { control, head } = this.#views;
    let held = 0;
    for (let shard = 0; shard < this.#shards.count; shard++) {
      const at = shard * CONTROL_INTS + CONTROL.lock;
      if ((Atomics.load(control, at) & ~WAITED) !== id + 1) continue;
      mendShard(this.#shards, shard);
      held++;
      Atomics.store(control, at, 0);
      Atomics.notify(control, at);
    }
    Atomics.compareExchange(head, HEAD.leader, id + 1, 0);
    return held;
  }

  usage(): SharedUsage {
    const { control } = this.#views;
    const { count, blocks } = this.#shards;
    const sum = { entries: 0, touched: 0, evicted: 0 };
    for (let shard = 0; shard < count; shard++) {
      const own = shard * CONTROL_INTS;
      sum.entries += control[own + CONTROL.entries]!;
      sum.touched += control[own + CONTROL.fresh]! - shard * blocks - 1;
      sum.evicted += control[own + CONTROL.evicted]! >>> 0;
    }
    return { size: this.buffer.byteLength, blocks: count * (blocks - 1), ...sum };
  }
}
