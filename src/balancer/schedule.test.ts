import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Schedule } from './schedule.ts';
import '../../test/support/fixed-seed.ts';

const someWeights = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 60 });

function counted(members: number, turns: readonly number[]): number[] {
  const counts = Array.from({ length: members }, () => 0);
  for (const turn of turns) counts[turn]!++;
  return counts;
}

const sumOf = (weights: readonly number[]): number => weights.reduce((sum, weight) => sum + weight, 0);

test('property: in each unit every member has as many turns as its weight, and is never far from its share', () => {
  fc.assert(
    fc.property(someWeights, fc.integer({ min: 1, max: 3 }), (weights, units) => {
      const schedule = new Schedule(weights, 0);
      const sum = sumOf(weights);
      const counts = weights.map(() => 0);
      for (let turn = 1; turn <= sum * units; turn++) {
        counts[schedule.next()]!++;
        for (const [member, weight] of weights.entries()) {
          assert.ok(Math.abs(counts[member]! - (weight * turn) / sum) <= 0.5 + weights.length / 2);
        }
      }
      assert.deepEqual(
        counts,
        weights.map((weight) => weight * units),
      );
    }),
  );
});

test('property: it begins where it is told, and goes on in the same way', () => {
  fc.assert(
    fc.property(
      someWeights,
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (weights, start) => {
        const schedule = new Schedule(weights, start);
        const begun = Math.floor(start * sumOf(weights));
        const reference = new Schedule(weights, 0);
        for (let turn = 0; turn < begun; turn++) reference.next();
        for (let turn = 0; turn < 50; turn++) assert.equal(schedule.next(), reference.next());
      },
    ),
  );
});

test('property: what is passed over is not taken, the others keep their proportions, and nobody catches up', () => {
  fc.assert(
    fc.property(someWeights, fc.nat(60), fc.integer({ min: 0, max: 30 }), (weights, n, before) => {
      const gone = n % weights.length;
      const schedule = new Schedule(weights, 0);
      for (let turn = 0; turn < before; turn++) schedule.next();
      const passed = new Set([gone]);
      if (weights.length === 1) {
        assert.equal(schedule.nextBut(passed), -1);
        return;
      }
      const left = weights.map((weight, member) => (member === gone ? 0 : weight));
      const counts = counted(
        weights.length,
        Array.from({ length: sumOf(left) * 3 }, () => schedule.nextBut(passed)),
      );
      for (const [member, weight] of left.entries()) assert.ok(Math.abs(counts[member]! - weight * 3) <= 1);
      const later = counted(
        weights.length,
        Array.from({ length: sumOf(weights) }, () => schedule.next()),
      );
      for (const [member, weight] of weights.entries()) assert.ok(Math.abs(later[member]! - weight) <= 1);
    }),
  );
});

test('all are passed over: none, and the next turn is as if nobody had asked', () => {
  const schedule = new Schedule([3, 1, 2], 0);
  assert.equal(schedule.nextBut(new Set([0, 1, 2])), -1);
  const turns = Array.from({ length: 6 }, () => schedule.next());
  assert.deepEqual(counted(3, turns), [3, 1, 2]);
});

test('property: who is out for everybody is taken by nobody, the others keep their shares, and nobody catches up', () => {
  const weights = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 2, maxLength: 30 });
  fc.assert(
    fc.property(weights, fc.array(fc.nat(29), { maxLength: 12 }), (all, toggles) => {
      const schedule = new Schedule(all, 0);
      const out = new Set<number>();
      for (const toggle of toggles) {
        const member = toggle % all.length;
        if (!out.delete(member)) out.add(member);
        schedule.setOut(member, out.has(member));
        const left = all.map((weight, n) => (out.has(n) ? 0 : weight));
        const sum = left.reduce((one, other) => one + other, 0);
        if (sum === 0) {
          assert.equal(schedule.next(), -1);
          continue;
        }
        const counts = all.map(() => 0);
        for (let turn = 0; turn < sum * 3; turn++) counts[schedule.next()]!++;
        for (const [n, weight] of left.entries()) {
          assert.ok(Math.abs(counts[n]! - weight * 3) <= 1, `member ${n}: ${counts[n]} of ${weight * 3}`);
        }
      }
    }),
  );
});
