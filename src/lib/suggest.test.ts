import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { editDistance, suggest } from './suggest.ts';
import '../../test/support/fixed-seed.ts';

const DISTANCES: readonly (readonly [string, string, number])[] = [
  ['', '', 0],
  ['', 'abc', 3],
  ['kitten', 'sitting', 3],
  ['listen', 'lisetn', 1],
  ['reload', 'relod', 1],
];

for (const [a, b, distance] of DISTANCES) {
  test(`distance of '${a}' and '${b}' is ${distance}`, () => {
    assert.equal(editDistance(a, b), distance);
    assert.equal(editDistance(b, a), distance);
  });
}

test('distance: a limit only cuts what exceeds it', () => {
  const word = fc.string({ maxLength: 12, unit: fc.constantFrom('a', 'b', 'c') });
  fc.assert(
    fc.property(word, word, fc.nat(6), (a, b, limit) => {
      assert.equal(editDistance(a, b, limit), Math.min(editDistance(a, b), limit + 1));
    }),
    { numRuns: 2000 },
  );
});

test('suggest: the nearest within a third of the letters', () => {
  const known = ['start', 'stop', 'quit', 'config parse'];
  assert.equal(suggest('strat', known), 'start');
  assert.equal(suggest('confg parse', known), 'config parse');
  assert.equal(suggest('migrations', known), undefined);
  assert.equal(suggest('x'.repeat(1_000_000), known), undefined);
});
