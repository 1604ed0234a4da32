import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Rotation } from './rotation.ts';
import '../../test/support/fixed-seed.ts';

const take = (rotation: Rotation, turns: number): number[] =>
  Array.from({ length: turns }, () => rotation.next());

function countsOf(members: number, turns: readonly number[]): number[] {
  const counts = Array.from({ length: members }, () => 0);
  for (const turn of turns) counts[turn]!++;
  return counts;
}

const someWeights = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 8 });
const someStart = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test('the order is that of nginx', () => {
  assert.deepEqual(take(new Rotation([5, 1, 1], 0), 7), [0, 0, 1, 0, 2, 0, 0]);
  assert.deepEqual(take(new Rotation([100, 100, 100], 0), 4), [0, 1, 2, 0]);
});

test('property: every cycle has exactly the proportions of the weights, wherever it starts', () => {
  fc.assert(
    fc.property(someWeights, someStart, fc.integer({ min: 0, max: 50 }), (weights, start, before) => {
      const rotation = new Rotation(weights, start);
      take(rotation, before);
      const counts = countsOf(weights.length, take(rotation, rotation.cycle));
      const sum = weights.reduce((a, b) => a + b, 0);
      assert.deepEqual(
        counts,
        weights.map((weight) => (weight * rotation.cycle) / sum),
      );
    }),
  );
});

test('property: at no time is a member far from its share', () => {
  fc.assert(
    fc.property(someWeights, (weights) => {
      const rotation = new Rotation(weights, 0);
      const sum = weights.reduce((a, b) => a + b, 0);
      const counts = weights.map(() => 0);
      for (let turn = 1; turn <= rotation.cycle; turn++) {
        counts[rotation.next()]!++;
        for (const [i, weight] of weights.entries()) {
          const due = (weight * turn) / sum;
          assert.ok(Math.abs(counts[i]! - due) < weights.length, `member ${i} at turn ${turn}`);
        }
      }
    }),
  );
});

test('property: what is passed over is not taken, the others keep their proportions, and nobody catches up', () => {
  fc.assert(
    fc.property(someWeights, fc.nat(7), fc.integer({ min: 0, max: 20 }), (weights, n, before) => {
      const gone = n % weights.length;
      const rotation = new Rotation(weights, 0);
      take(rotation, before);
      const passed = new Set([gone]);
      if (weights.length === 1) {
        assert.equal(rotation.nextBut(passed), -1);
        return;
      }
      const left = weights.map((weight, i) => (i === gone ? 0 : weight));
      const sum = left.reduce((a, b) => a + b, 0);
      const turns = Array.from({ length: sum }, () => rotation.nextBut(passed));
      const counts = countsOf(weights.length, turns);
      assert.equal(counts[gone], 0);
      for (const [i, weight] of left.entries()) {
        assert.ok(Math.abs(counts[i]! - weight) <= weights.length, `member ${i}: ${counts[i]} of ${weight}`);
      }
      const later = countsOf(weights.length, take(rotation, rotation.cycle * 4));
      assert.ok(
        later[gone]! <= ((weights[gone]! * rotation.cycle) / (sum + weights[gone]!)) * 4 + weights.length,
      );
    }),
  );
});

test('property: who is out for everybody is as one that every request passes over', () => {
  fc.assert(
    fc.property(someWeights, someStart, fc.array(fc.nat(7), { maxLength: 40 }), (weights, start, toggles) => {
      const [told, asked] = [new Rotation(weights, start), new Rotation(weights, start)];
      const out = new Set<number>();
      for (const toggle of toggles) {
        const member = toggle % weights.length;
        if (!out.delete(member)) out.add(member);
        told.setOut(member, out.has(member));
        for (let n = 0; n < 5; n++) assert.equal(told.next(), asked.nextBut(out));
        const [also] = weights.keys();
        assert.equal(told.nextBut(new Set([also ?? 0])), asked.nextBut(new Set([...out, also ?? 0])));
      }
    }),
  );
});

test('workers that start at different places do not begin with the same member', () => {
  const first = (weights: number[], starts: number[]): number[] =>
    starts.map((start) => new Rotation(weights, start).next());
  assert.deepEqual(first([100, 100, 100, 100], [0, 0.25, 0.5, 0.75]), [0, 1, 2, 3]);
  assert.equal(new Set(first([3, 2, 1], [0, 0.2, 0.4, 0.6, 0.8])).size, 3);
});

test('nobody is there', () => {
  assert.equal(new Rotation([], 0.5).next(), -1);
  assert.equal(new Rotation([1, 1], 0).nextBut(new Set([0, 1])), -1);
  assert.equal(new Rotation([1, 2], 0).nextBut(new Set([0, 1])), -1);
});

test('large weights and many members start without going through the cycle', () => {
  const weights = Array.from({ length: 5000 }, (_, i) => 60_000 + i);
  assert.ok(new Rotation(weights, 0.999).next() >= 0);
});
