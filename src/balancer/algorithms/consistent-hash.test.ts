/** What moves when targets change, and that a table made from the one before is the one made anew. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { mix32 } from '../../zone/hash32.ts';
import type { Member } from './algorithm.ts';
import { consistentHash, type ConsistentHash } from './consistent-hash.ts';
import '../../../test/support/fixed-seed.ts';

const KEYS = Array.from({ length: 20_000 }, (_, n) => mix32(n));

function table(
  members: readonly Member[],
  previous: ConsistentHash | null = null,
  slots = 10_000,
): ConsistentHash {
  const steps = consistentHash({ members, slots, previous, start: 0 });
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

const ownerNames = (of: ConsistentHash): Array<string | undefined> =>
  Array.from(of.owners, (owner) => of.members[owner]?.name);
const nameOf = (of: ConsistentHash, key: number): string => of.members[of.next(null, key)]?.name ?? '';
const equal = (count: number): Member[] =>
  Array.from({ length: count }, (_, n) => ({ name: `10.0.0.${n}:80`, weight: 100 }));

const CHANGES: ReadonlyArray<readonly [label: string, before: readonly Member[], gone: number]> = [
  ...[2, 3, 10, 100].map((count) => [`${count} equal targets`, equal(count), 1] as const),
  [
    'a heavy one',
    [
      { name: 'a', weight: 1000 },
      { name: 'b', weight: 100 },
      { name: 'c', weight: 100 },
    ],
    0,
  ],
  [
    'a light one',
    [
      { name: 'a', weight: 1000 },
      { name: 'b', weight: 1 },
      { name: 'c', weight: 100 },
    ],
    1,
  ],
];

for (const [label, before, gone] of CHANGES) {
  test(`${label}: no key moves but those of the one that goes, and back when it comes back`, () => {
    const old = table(before);
    const left = before.filter((_, index) => index !== gone);
    const now = table(left, old);
    const lost = before[gone];
    assert.ok(lost);
    const moved = KEYS.filter((key) => nameOf(old, key) !== nameOf(now, key));
    assert.ok(moved.every((key) => nameOf(old, key) === lost.name));
    // The words: at most the share of the target and 5 %.
    const share = lost.weight / before.reduce((sum, { weight }) => sum + weight, 0);
    assert.ok(moved.length / KEYS.length <= share + 0.05, `${moved.length / KEYS.length} of ${share}`);
    const back = table([...left, lost], now);
    assert.ok(KEYS.every((key) => nameOf(back, key) === nameOf(old, key)));
  });
}

test('keys of one that is passed over go to all others, and nobody else moves', () => {
  const all = table(equal(10));
  const passed = new Set([4]);
  const taken = new Set<number>();
  for (const key of KEYS) {
    const index = all.next(passed, key);
    if (all.next(null, key) === 4) taken.add(index);
    else assert.equal(index, all.next(null, key));
  }
  assert.equal(taken.size, 9);
  assert.ok(!taken.has(4));
});

test('one of so little weight that it has no slot is found when all others are out', () => {
  const all = table(
    [
      { name: 'a', weight: 65_535 },
      { name: 'b', weight: 1 },
    ],
    null,
    10,
  );
  assert.ok(all.owners.every((owner) => owner === 0));
  assert.equal(all.next(new Set([0]), 5), 1);
});

test('other slots are another table', () => {
  const old = table(equal(5));
  assert.deepEqual(ownerNames(table(equal(5), old, 100)), ownerNames(table(equal(5), null, 100)));
});

test('property: the table does not depend on its past, nor on the order of targets', () => {
  const member = fc.record({
    name: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
    weight: fc.constantFrom(1, 2, 100),
  });
  const members = fc.uniqueArray(member, { maxLength: 6, selector: ({ name }) => name });
  fc.assert(
    fc.property(fc.array(members, { minLength: 1, maxLength: 4 }), (all) => {
      let served: ConsistentHash | null = null;
      for (const one of all) served = table(one, served, 200);
      const last = all.at(-1) ?? [];
      assert.ok(served);
      assert.deepEqual(ownerNames(served), ownerNames(table(last, null, 200)));
      assert.deepEqual(ownerNames(served), ownerNames(table(last.toReversed(), null, 200)));
    }),
  );
});
