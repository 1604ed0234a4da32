import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { formatIp, isMapped, parseIp } from './ip.ts';
import '../../test/support/fixed-seed.ts';

function canonical(text: string): string | null {
  const words = new Uint32Array(4);
  const family = parseIp(text, 0, text.length, words);
  return family === 0 ? null : formatIp(family, words);
}

const CASES: ReadonlyArray<readonly [text: string, canonical: string | null]> = [
  ['0.0.0.0', '0.0.0.0'],
  ['255.255.255.255', '255.255.255.255'],
  ['1.2.3', null],
  ['1.2.3.4.5', null],
  ['1.2.3.', null],
  ['.1.2.3', null],
  ['1..2.3', null],
  ['256.1.1.1', null],
  ['01.1.1.1', null],
  ['1.1.1.1 ', null],
  ['0x7f.0.0.1', null],
  ['2130706433', null],
  ['', null],
  ['localhost', null],
  ['::', '::'],
  ['::1', '::1'],
  ['1::', '1::'],
  ['2001:DB8::1', '2001:db8::1'],
  ['2001:0db8:0:0:0:0:0:1', '2001:db8::1'],
  ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['1:0:0:0:2:0:0:0', '1::2:0:0:0'],
  ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
  ['::ffff:1.2.3.4', '::ffff:1.2.3.4'],
  ['::FFFF:102:304', '::ffff:1.2.3.4'],
  ['1:2:3:4:5:6:1.2.3.4', '1:2:3:4:5:6:102:304'],
  ['1:2:3:4:5:6:7:1.2.3.4', null],
  ['1:2:3:4:5:6:7', null],
  ['1:2:3:4:5:6:7:8:9', null],
  ['1:2:3:4::5:6:7:8', null],
  ['1::2::3', null],
  [':::', null],
  [':1', null],
  ['1:', null],
  ['12345::', null],
  ['::g', null],
  ['fe80::1%eth0', null],
  ['[::1]', null],
  ['::1.2.3.4:5', null],
  ['::1.2.3', null],
];

test('an address is parsed strictly and written canonically', () => {
  for (const [text, expected] of CASES) assert.equal(canonical(text), expected, text);
});

test('only the given range of the text is read', () => {
  const words = new Uint32Array(4);
  assert.equal(parseIp('x10.0.0.1:80', 1, 9, words), 4);
  assert.equal(words[0], 0x0a000001);
  assert.equal(parseIp('[::1]:80', 1, 4, words), 6);
  assert.deepEqual([...words], [0, 0, 0, 1]);
});

test('mapped addresses are told from others', () => {
  const words = new Uint32Array(4);
  for (const [text, mapped] of [
    ['::ffff:10.0.0.1', true],
    ['::fffe:10.0.0.1', false],
    ['::10.0.0.1', false],
    ['1::ffff:10.0.0.1', false],
  ] as const) {
    parseIp(text, 0, text.length, words);
    assert.equal(isMapped(words), mapped, text);
  }
});

const nearlyAddress = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc
    .array(fc.constantFrom('1', '0', 'f', 'ffff', '255', '256', ':', '::', '.', 'g', ' '), { maxLength: 17 })
    .map((parts) => parts.join('')),
  fc
    .array(fc.constantFrom('0', '1', 'abcd', '00ab'), { minLength: 7, maxLength: 9 })
    .map((parts) => parts.join(':')),
);

test('accepts what net.isIP accepts, and its canonical text is a fixed point', () => {
  fc.assert(
    fc.property(nearlyAddress, (text) => {
      const own = canonical(text);
      assert.equal(own !== null, isIP(text) !== 0, JSON.stringify(text));
      if (own !== null) assert.equal(canonical(own), own);
    }),
    { numRuns: 3000 },
  );
});

test('reads IPv6 as the URL parser does', () => {
  fc.assert(
    fc.property(fc.ipV6(), (text) => {
      const words = new Uint32Array(4);
      parseIp(text, 0, text.length, words);
      const url = new URL(`http://[${text}]/`).hostname.slice(1, -1);
      // The URL parser writes mapped addresses in hex.
      if (!isMapped(words)) assert.equal(canonical(text), url);
      else assert.equal(canonical(url), canonical(text));
    }),
    { numRuns: 1000 },
  );
});
