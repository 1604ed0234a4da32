import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { AddressRing } from './address-ring.ts';
import '../../../test/support/fixed-seed.ts';

function ring(weights: readonly number[], start = 0): AddressRing {
  const addresses = weights.map((weight, i) => ({ ip: `10.0.0.${i}`, port: null, weight }));
  return new AddressRing(addresses, 0, start);
}

function turns(of: AddressRing, count: number): string {
  return Array.from({ length: count }, () => of.next().ip.slice(-1)).join('');
}

test('whose turn it is', () => {
  for (const [weights, start, expected] of [
    [[1], 0, '000'],
    [[1, 1, 1], 0, '0120120'],
    [[1, 1, 1], 2, '2012'],
    [[1, 1, 1], 5, '2012'],
    [[7, 7], 1, '1010'],
    [[2, 1], 0, '010010'],
    [[5, 1, 1], 0, '00102000010200'],
    [[1, 65535], 0, '1111'],
  ] as const) {
    assert.equal(turns(ring(weights, start), expected.length), expected, weights.join());
  }
});

test('in one round each address has its weight in turns', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 8 }), (weights) => {
      const of = ring(weights);
      const equal = weights.every((weight) => weight === weights[0]);
      const round = equal ? weights.length : weights.reduce((a, b) => a + b);
      const counts = weights.map(() => 0);
      for (const turn of turns(of, round)) counts[Number(turn)]!++;
      assert.deepEqual(counts, equal ? weights.map(() => 1) : weights);
    }),
  );
});

test('the same addresses are recognised', () => {
  const of = ring([1, 2]);
  assert.equal(of.holds(ring([1, 2]).addresses), true);
  for (const other of [ring([1]), ring([2, 1]), ring([1, 2, 1])])
    assert.equal(of.holds(other.addresses), false);
  const [first, second] = of.addresses;
  assert.equal(of.holds([{ ...first!, port: 80 }, second!]), false);
  assert.equal(of.holds([{ ...first!, ip: '1.1.1.1' }, second!]), false);
});
