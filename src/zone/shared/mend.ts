/** Makes a shard whole whose holder was ended in the middle of a change: from its blocks, as nothing else is certain. */
import {
  BLOCK,
  BLOCK_INTS,
  CONTROL,
  CONTROL_INTS,
  DATA_BYTES,
  INLINE_BYTES,
  KIND,
  MAX_VALUE,
} from './layout.ts';
import type { Shards } from './shards.ts';

/** What was being written is lost, everything else is there. Whoever calls holds the shard. */
export function mendShard(shards: Shards, shard: number): void {
  const { ints, control } = shards.views;
  const own = shard * CONTROL_INTS;
  const first = shard * shards.blocks + 1;
  const fresh = Math.min(control[own + CONTROL.fresh]!, (shard + 1) * shards.blocks);
  const kept = new Uint8Array(shards.blocks);
  shards.clearBuckets(shard);
  control[own + CONTROL.free] = 0;
  control[own + CONTROL.entries] = 0;
  for (let block = first; block < fresh; block++) {
    const kind = ints[block * BLOCK_INTS + BLOCK.kind];
    const chain = kind === KIND.value ? dataOf(shards, shard, block) : [];
    if ((kind !== KIND.counter && kind !== KIND.value) || chain === null) continue;
    for (const one of [block, ...chain]) kept[one - first] = 1;
    shards.link(shard, block);
  }
  for (let block = fresh - 1; block >= first; block--) {
    if (kept[block - first] === 0) shards.free(shard, block);
  }
}

/** Null: they are not those of a whole value. */
function dataOf(shards: Shards, shard: number, block: number): number[] | null {
  const { ints } = shards.views;
  const length = ints[block * BLOCK_INTS + BLOCK.length]!;
  if (length < 0 || length > MAX_VALUE) return null;
  const chain: number[] = [];
  if (length <= INLINE_BYTES) return chain;
  let data = ints[block * BLOCK_INTS + BLOCK.first]!;
  for (let left = length; left > 0; left -= DATA_BYTES) {
    const within = data > shard * shards.blocks && data < (shard + 1) * shards.blocks;
    if (!within || ints[data * BLOCK_INTS + BLOCK.kind] !== KIND.data) return null;
    chain.push(data);
    data = ints[data * BLOCK_INTS + BLOCK.next]!;
  }
  return chain;
}
