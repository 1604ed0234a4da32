import assert from 'node:assert/strict';
import { BlockList } from 'node:net';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { IpSet } from './ip-set.ts';
import '../../test/support/fixed-seed.ts';

const CASES: ReadonlyArray<
  readonly [entries: readonly string[], holds: readonly string[], holdsNot: readonly string[]]
> = [
  [[], [], ['1.2.3.4', '::1', '', 'unix:']],
  [
    ['10.0.0.1'],
    ['10.0.0.1', '::ffff:10.0.0.1', '::ffff:a00:1'],
    ['10.0.0.2', '::10.0.0.1', '10.0.0.1x', '10.0.0.01'],
  ],
  [['10.0.0.0/8'], ['10.0.0.0', '10.255.255.255'], ['9.255.255.255', '11.0.0.0', 'a00::']],
  [['10.9.9.9/8'], ['10.0.0.0', '10.255.255.255'], ['11.0.0.0']],
  [['0.0.0.0/0'], ['0.0.0.0', '127.0.0.1', '255.255.255.255', '::ffff:1.2.3.4'], ['::1', '', 'unix:', 'bad']],
  [['::/0'], ['::', '::1', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'], ['1.2.3.4', '::ffff:1.2.3.4']],
  [['192.168.1.128/25'], ['192.168.1.128', '192.168.1.255'], ['192.168.1.127', '192.168.2.0']],
  [
    ['1.2.3.4/32', '1.2.3.6/31'],
    ['1.2.3.4', '1.2.3.6', '1.2.3.7'],
    ['1.2.3.5', '1.2.3.3', '1.2.3.8'],
  ],
  [['fc00::/7'], ['fc00::', 'fdff:ffff::1'], ['fbff::', 'fe00::']],
  [
    ['2001:db8:0:8000::/49'],
    ['2001:db8:0:8000::', '2001:db8:0:ffff:ffff:ffff:ffff:ffff'],
    ['2001:db8:0:7fff::', '2001:db8:1::'],
  ],
  [['::1'], ['::1', '0:0:0:0:0:0:0:1'], ['::2', '0.0.0.1']],
  [['::ffff:10.0.0.0/104'], ['10.1.2.3', '::ffff:10.1.2.3'], ['11.0.0.0']],
  [['unix:'], ['', 'unix:'], ['127.0.0.1']],
  [
    ['10.0.0.0/8', '10.1.0.0/16', '9.0.0.0/8', '10.0.0.0/7'],
    ['9.1.1.1', '10.9.9.9', '11.255.255.255'],
    ['8.255.255.255', '12.0.0.0'],
  ],
];

test('membership', () => {
  for (const [entries, holds, holdsNot] of CASES) {
    const set = new IpSet(entries);
    for (const ip of holds) assert.equal(set.has(ip), true, `${entries.join(' ')} holds ${ip}`);
    for (const ip of holdsNot) assert.equal(set.has(ip), false, `${entries.join(' ')} does not hold ${ip}`);
  }
});

test('a bad entry is refused and named', () => {
  for (const entry of [
    '',
    'localhost',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    '10.0.0/8',
    '::/129',
    '::1/x',
    '[::1]',
    'fe80::1%eth0',
    ' 10.0.0.1',
    '10.0.0.0/+8',
  ]) {
    assert.throws(() => new IpSet(['10.0.0.1', entry]), {
      name: 'SyntaxError',
      message: `"${entry}" is not an IP address or CIDR block`,
    });
  }
});

/** Few distinct bits, so that networks overlap and hit. */
const quad = fc
  .tuple(fc.constantFrom(10, 11), fc.constantFrom(0, 1, 255), fc.nat(255), fc.constantFrom(0, 127, 128, 255))
  .map((parts) => parts.join('.'));
const ipv6 = fc
  .array(fc.constantFrom('0', '1', '8000', 'ffff'), { minLength: 8, maxLength: 8 })
  .map((parts) => `2001:${parts.slice(1).join(':')}`);

test('agrees with net.BlockList on overlapping networks', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(quad, fc.integer({ min: 1, max: 32 })), { maxLength: 12 }),
      fc.array(fc.tuple(ipv6, fc.integer({ min: 16, max: 128 })), { maxLength: 12 }),
      fc.array(fc.oneof(quad, ipv6), { minLength: 1, maxLength: 20 }),
      (v4, v6, probes) => {
        const set = new IpSet([...v4, ...v6].map(([ip, prefix]) => `${ip}/${prefix}`));
        const oracle = new BlockList();
        for (const [ip, prefix] of v4) oracle.addSubnet(ip, prefix, 'ipv4');
        for (const [ip, prefix] of v6) oracle.addSubnet(ip, prefix, 'ipv6');
        for (const ip of probes)
          assert.equal(set.has(ip), oracle.check(ip, ip.includes(':') ? 'ipv6' : 'ipv4'), ip);
      },
    ),
    { numRuns: 500 },
  );
});
