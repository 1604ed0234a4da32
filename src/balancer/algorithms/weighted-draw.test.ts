import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { WeightedDraw } from './weighted-draw.ts';
import '../../../test/support/fixed-seed.ts';

const someWeights = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 40 });

test('property: each member that is in has as many points of the line as its weight, and nobody else has any', () => {
  fc.assert(
    fc.property(someWeights, fc.array(fc.nat(39), { maxLength: 60 }), (weights, toggles) => {
      const draw = new WeightedDraw(weights);
      const out = new Set<number>();
      for (const toggle of toggles) {
        const member = toggle % weights.length;
        if (!out.delete(member)) out.add(member);
        draw.setOut(member, out.has(member));
        draw.setOut(member, out.has(member));
      }
      const left = weights.map((weight, member) => (out.has(member) ? 0 : weight));
      assert.equal(
        draw.total,
        left.reduce((sum, weight) => sum + weight, 0),
      );
      assert.equal(draw.count, weights.length - out.size);
      const points = weights.map(() => 0);
      for (let point = 0; point < draw.total; point++) {
        const member = draw.at(point);
        points[member]!++;
        assert.equal(
          draw.before,
          left.slice(0, member).reduce((sum, weight) => sum + weight, 0),
        );
      }
      assert.deepEqual(points, left);
    }),
  );
});
