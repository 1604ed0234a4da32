/** What nginx 1.22 answered as `$remote_addr $remote_port` to the same headers; `-` is the peer itself. */
import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { IpSet } from '../lib/ip-set.ts';
import type { Headers } from '../wire/message.ts';
import { clientIp, RealIp } from './real-ip.ts';
import '../../test/support/fixed-seed.ts';

const TRUSTED = ['127.0.0.0/8', '10.0.0.0/8', 'fc00::/7'];
const PEER = '127.0.0.1';

interface Case {
  readonly lines: readonly string[];
  readonly last: string;
  readonly recursive: string;
  /** Another header than X-Forwarded-For, recursive. */
  readonly other: string;
}

/** One header line: the header's name makes no difference. */
const ONE_LINE: ReadonlyArray<readonly [value: string, last: string, recursive: string]> = [
  ['1.2.3.4', '1.2.3.4', '1.2.3.4'],
  ['1.2.3.4:80', '1.2.3.4 80', '1.2.3.4 80'],
  ['1.2.3.4:080', '1.2.3.4 80', '1.2.3.4 80'],
  ['1.2.3.4:0', '-', '-'],
  ['1.2.3.4:65536', '-', '-'],
  ['1.2.3.4:+80', '-', '-'],
  ['1.2.3.4:', '-', '-'],
  ['[1.2.3.4]:80', '1.2.3.4 80', '1.2.3.4 80'],
  ['[2001:db8::1]', '-', '-'],
  ['[2001:db8::1]:443', '2001:db8::1 443', '2001:db8::1 443'],
  ['[2001:db8::1', '-', '-'],
  ['[2001:db8::1]x', '-', '-'],
  ['[2001:db8::1]:', '-', '-'],
  ['2001:DB8::1', '2001:db8::1', '2001:db8::1'],
  ['2001:db8::1:443', '2001:db8::1:443', '2001:db8::1:443'],
  ['2001:0db8:0:0:0:0:0:1', '2001:db8::1', '2001:db8::1'],
  ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8'],
  ['1:2:3:4:5:6:7:8:9', '-', '-'],
  ['1:2:3:4:5:6:1.2.3.4', '1:2:3:4:5:6:102:304', '1:2:3:4:5:6:102:304'],
  ['::ffff:1.2.3.4', '::ffff:1.2.3.4', '::ffff:1.2.3.4'],
  ['::', '::', '::'],
  ['0.0.0.0', '0.0.0.0', '0.0.0.0'],
  ['1.1.1.1, 2.2.2.2', '2.2.2.2', '2.2.2.2'],
  ['1.1.1.1,2.2.2.2', '2.2.2.2', '2.2.2.2'],
  ['1.1.1.1 2.2.2.2', '2.2.2.2', '2.2.2.2'],
  ['1.1.1.1, 10.0.0.1', '10.0.0.1', '1.1.1.1'],
  ['1.1.1.1 , 10.0.0.1', '10.0.0.1', '1.1.1.1'],
  ['1.1.1.1, 10.0.0.1, 10.0.0.2', '10.0.0.2', '1.1.1.1'],
  ['1.1.1.1:5, 10.0.0.1:6', '10.0.0.1 6', '1.1.1.1 5'],
  ['1.1.1.1, ::ffff:10.0.0.1', '::ffff:10.0.0.1', '1.1.1.1'],
  ['1.1.1.1, [::ffff:10.0.0.1]:80', '::ffff:10.0.0.1 80', '1.1.1.1'],
  ['1.1.1.1, fc00::1', 'fc00::1', '1.1.1.1'],
  ['10.0.0.1, 10.0.0.2', '10.0.0.2', '10.0.0.1'],
  ['bad, 10.0.0.1', '10.0.0.1', '10.0.0.1'],
  ['bad', '-', '-'],
  ['1.1.1.1, bad', '-', '-'],
  ['1.1.1.1, bad, 10.0.0.1', '10.0.0.1', '10.0.0.1'],
  ['', '-', '-'],
  [',', '-', '-'],
  ['1.1.1.1,', '1.1.1.1', '1.1.1.1'],
  ['1.1.1.1, ,', '1.1.1.1', '1.1.1.1'],
  ['unix:', '-', '-'],
  ['1.1.1.1, unix:/x', '-', '-'],
  ['1.2.3', '-', '-'],
  ['256.1.1.1', '-', '-'],
  ['localhost', '-', '-'],
  ['*:80', '-', '-'],
  ['80', '-', '-'],
  ['1.1.1.1\t2.2.2.2', '-', '-'],
  ['1.1.1.1\t, 10.0.0.1', '10.0.0.1', '10.0.0.1'],
  ['1.1.1.1;10.0.0.1', '-', '-'],
  ['"1.1.1.1"', '-', '-'],
  ['fe80::1%eth0', '-', '-'],
  // nginx takes these two; see the module's header.
  ['010.1.1.1', '-', '-'],
  ['1..2.3', '-', '-'],
];

const SEVERAL_LINES: readonly Case[] = [
  { lines: ['1.1.1.1', '2.2.2.2'], last: '2.2.2.2', recursive: '2.2.2.2', other: '1.1.1.1' },
  { lines: ['1.1.1.1', '10.0.0.2'], last: '10.0.0.2', recursive: '1.1.1.1', other: '1.1.1.1' },
  { lines: ['1.1.1.1', 'bad'], last: '-', recursive: '-', other: '1.1.1.1' },
  { lines: ['bad', '10.0.0.2'], last: '10.0.0.2', recursive: '10.0.0.2', other: '-' },
  { lines: ['bad', '2.2.2.2'], last: '2.2.2.2', recursive: '2.2.2.2', other: '-' },
  { lines: ['1.1.1.1', ''], last: '-', recursive: '-', other: '1.1.1.1' },
  { lines: ['1.1.1.1', '', '10.0.0.1'], last: '10.0.0.1', recursive: '10.0.0.1', other: '1.1.1.1' },
  { lines: ['1.1.1.1', 'bad', '10.0.0.1'], last: '10.0.0.1', recursive: '10.0.0.1', other: '1.1.1.1' },
];

const CASES: readonly Case[] = [
  ...ONE_LINE.map(([value, last, recursive]) => ({ lines: [value], last, recursive, other: recursive })),
  ...SEVERAL_LINES,
];

function headers(name: string, values: readonly string[]): Headers {
  const fail = (): never => assert.fail('only reads are expected');
  return {
    get: (asked) => (asked === name ? values[0] : undefined),
    all: (asked) => (asked === name ? [...values] : []),
    received: fail,
    has: (asked) => asked === name,
    repeats: (asked) => asked === name && values.length > 1,
    each: fail,
    set: fail,
    add: fail,
    remove: fail,
    removeSpellings: fail,
  };
}

function shown(address: { ip: string; port: number | null } | null): string {
  if (address === null || address.ip === PEER) return '-';
  return address.port === null ? address.ip : `${address.ip} ${address.port}`;
}

test('agrees with nginx', () => {
  for (const { lines, last, recursive, other } of CASES) {
    const check = (header: string, real_ip_recursive: boolean, expected: string): void => {
      const rule = new RealIp({ trusted_ips: TRUSTED, real_ip_header: header, real_ip_recursive });
      const found = rule.client(headers(header.toLowerCase(), lines), null);
      assert.equal(
        shown(found),
        expected,
        `${header} ${JSON.stringify(lines)} recursive: ${real_ip_recursive}`,
      );
    };
    check('X-Forwarded-For', false, last);
    check('X-Forwarded-For', true, recursive);
    check('X-Real-IP', true, other);
    check('X-Any', true, other);
    if (lines.length === 1) check('X-Real-IP', false, last);
  }
});

test('clientIp is the same rule as one function, and ignores the header of a peer that is not trusted', () => {
  const trusted = new IpSet(TRUSTED);
  for (const { lines, last, recursive } of CASES) {
    assert.equal(shown(clientIp(PEER, trusted, lines, false)), last);
    assert.equal(shown(clientIp(PEER, trusted, lines, true)), recursive);
    assert.deepEqual(clientIp('8.8.8.8', trusted, lines, true), { ip: '8.8.8.8', port: null });
  }
});

test('a rule that trusts nobody, everybody, or UNIX sockets', () => {
  const rule = (trusted_ips: string[]): RealIp =>
    new RealIp({ trusted_ips, real_ip_header: 'X-Real-IP', real_ip_recursive: false });
  assert.equal(rule([]).trusts('127.0.0.1'), false);
  assert.equal(rule(['0.0.0.0/0', '::/0']).trusts('::ffff:8.8.8.8'), true);
  assert.equal(rule(['0.0.0.0/0', '::/0']).trusts('::1'), true);
  assert.equal(rule(['0.0.0.0/0']).trusts(''), false);
  assert.equal(rule(['unix:']).trusts(''), true);
  assert.equal(rule(['0.0.0.0/0']).client(headers('x-forwarded-for', ['1.1.1.1']), null), null);
});

test('a long chain of trusted proxies is walked once', () => {
  const chain = ['1.1.1.1', ...Array.from({ length: 2000 }, () => '10.0.0.1')].join(', ');
  assert.equal(clientIp(PEER, new IpSet(TRUSTED), [chain], true).ip, '1.1.1.1');
});

test('the PROXY header of the connection, and no header of the request, names the client', () => {
  const settings = { trusted_ips: TRUSTED, real_ip_recursive: true };
  const rule = new RealIp({ ...settings, real_ip_header: 'proxy_protocol' });
  const proxied = { remoteAddress: '8.8.8.8', remotePort: 7, localAddress: '9.9.9.9', localPort: 8 };
  const lines = headers('proxy_protocol', ['1.1.1.1']);
  assert.deepEqual(rule.client(lines, proxied), { ip: '8.8.8.8', port: 7 });
  assert.equal(rule.client(lines, null), null);
  const other = new RealIp({ ...settings, real_ip_header: 'X-Real-IP' });
  assert.equal(other.client(lines, proxied), null);
});

test('settings that cannot work are refused', () => {
  const base = { trusted_ips: TRUSTED, real_ip_header: 'X-Real-IP', real_ip_recursive: false };
  assert.throws(() => new RealIp({ ...base, trusted_ips: ['10.0.0.0/40'] }), /10\.0\.0\.0\/40/);
});

const piece = fc.constantFrom(
  '1.1.1.1',
  '10.0.0.1',
  'fc00::1',
  '[fc00::1]:80',
  ':',
  '80',
  '[',
  ']',
  ',',
  ' ',
  ', ',
  '.',
  'bad',
  '\t',
);
const line = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''));

test('whatever a header says, the answer is an address and a port', () => {
  const trusted = new IpSet(TRUSTED);
  fc.assert(
    fc.property(fc.array(fc.oneof(line, fc.string()), { maxLength: 4 }), fc.boolean(), (lines, recursive) => {
      const { ip, port } = clientIp(PEER, trusted, lines, recursive);
      assert.notEqual(isIP(ip), 0, ip);
      assert.ok(port === null || (Number.isInteger(port) && port > 0 && port < 65536));
      // Recursion only ever goes on from a trusted address.
      if (recursive && !trusted.has(clientIp(PEER, trusted, lines, false).ip)) {
        assert.deepEqual(clientIp(PEER, trusted, lines, false), { ip, port });
      }
    }),
    { numRuns: 3000 },
  );
});
