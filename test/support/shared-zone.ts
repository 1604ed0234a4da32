/** Looks into the shared zone for tests: whether a shard's chains, free list and blocks fit together. */
import assert from 'node:assert/strict';
import {
  BLOCK,
  BLOCK_INTS,
  CONTROL,
  CONTROL_INTS,
  DATA_BYTES,
  INLINE_BYTES,
  KIND,
  viewsOf,
} from '../../src/zone/shared/layout.ts';
import { Shards } from '../../src/zone/shared/shards.ts';

/** Every block that was ever used is either free, an entry in its bucket, or data of one entry. */
export function checkZone(buffer: SharedArrayBuffer): void {
  const views = viewsOf(buffer);
  const shards = new Shards(views);
  for (let shard = 0; shard < shards.count; shard++) checkShard(shards, shard);
}

function checkShard(shards: Shards, shard: number): void {
  const { ints, control, buckets } = shards.views;
  const own = shard * CONTROL_INTS;
  assert.equal(control[own + CONTROL.lock], 0, 'held');
  const seen = new Map<number, string>();
  const meet = (block: number, what: string): void => {
    assert.ok(block > shard * shards.blocks && block < control[own + CONTROL.fresh]!, `${what} ${block}`);
    assert.ok(!seen.has(block), `block ${block} is ${what} and ${seen.get(block)}`);
    seen.set(block, what);
  };
  const follow = (from: number, what: string, each: (at: number) => void): void => {
    for (let block = from; block !== 0; block = ints[block * BLOCK_INTS + BLOCK.next]!) {
      meet(block, what);
      each(block * BLOCK_INTS);
    }
  };
  follow(control[own + CONTROL.free]!, 'free', (at) => assert.equal(ints[at + BLOCK.kind], KIND.free));
  let entries = 0;
  const perShard = buckets.length / shards.count;
  for (let bucket = shard * perShard; bucket < (shard + 1) * perShard; bucket++) {
    follow(buckets[bucket]!, 'an entry', (at) => {
      entries++;
      assert.equal(shards.bucketOf(shard, ints[at + BLOCK.low]!), bucket);
      const kind = ints[at + BLOCK.kind];
      assert.ok(kind === KIND.counter || kind === KIND.value, `kind ${kind}`);
      const length = ints[at + BLOCK.length]!;
      if (kind !== KIND.value || length <= INLINE_BYTES) return;
      let blocks = 0;
      follow(ints[at + BLOCK.first]!, 'data', (data) => {
        blocks++;
        assert.equal(ints[data + BLOCK.kind], KIND.data);
      });
      assert.equal(blocks, Math.ceil(length / DATA_BYTES));
    });
  }
  assert.equal(control[own + CONTROL.entries], entries);
  assert.equal(
    seen.size,
    control[own + CONTROL.fresh]! - shard * shards.blocks - 1,
    'blocks that are nowhere',
  );
}
