import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { test } from 'node:test';
import '../../test/support/fixed-seed.ts';
import * as fc from 'fast-check';
import { ipFamily } from './is-ip.ts';

const CASES: ReadonlyArray<readonly [text: string, family: number]> = [
  ['', 0],
  ['1.2.3.4', 4],
  ['1.2.3.4%eth0', 0],
  ['1.2.3', 0],
  ['localhost', 0],
  ['::', 6],
  ['fe80::1', 6],
  ['fe80::1%eth0', 6],
  ['fe80::1%eth-0.1:2', 6],
  ['fe80::1%', 0],
  ['fe80::1%a%b', 0],
  ['fe80::1%a b', 0],
  ['%eth0', 0],
  ['[::1]', 0],
];

test('an address is known by its family, with a zone or without', () => {
  for (const [text, family] of CASES) {
    assert.equal(ipFamily(text), family, text);
    assert.equal(ipFamily(text), isIP(text), `${text} as Node`);
  }
});

test('answers what net.isIP answers', () => {
  const parts = fc
    .array(fc.constantFrom('0', 'ffff', '255', '256', ':', '::', '.', '%', 'g', '-', ' '), { maxLength: 12 })
    .map((list) => list.join(''));
  const zoned = fc.tuple(fc.ipV6(), parts).map(([address, zone]) => `${address}%${zone}`);
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), zoned, parts), (text) => {
      assert.equal(ipFamily(text), isIP(text), JSON.stringify(text));
    }),
    { numRuns: 3000 },
  );
});
