import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseResolvConf, readResolvConf } from './resolv-conf.ts';

const DEFAULTS = { servers: [], search: [], ndots: 1, timeout: 2000, attempts: 3, rotate: false };

const EIGHT = Array.from({ length: 8 }, (_, i) => `10.0.0.${i}`);

test('what is taken from resolv.conf', () => {
  for (const [text, expected] of [
    ['', {}],
    ['nameserver 10.0.0.2\n', { servers: ['10.0.0.2'] }],
    [
      'nameserver fe80::1%eth0\nnameserver ::1 # x\nnameserver dns.test\nnameserver',
      { servers: ['fe80::1%eth0', '::1'] },
    ],
    [Array.from({ length: 9 }, (_, i) => `nameserver 10.0.0.${i}`).join('\n'), { servers: EIGHT }],
    ['search a.b C.d. \noptions ndots:5 rotate', { search: ['a.b', 'c.d'], ndots: 5, rotate: true }],
    ['domain one\nsearch two three', { search: ['two', 'three'] }],
    ['search two three\ndomain one', { search: ['one'] }],
    ['search a b c d e f g h', { search: ['a', 'b', 'c', 'd', 'e', 'f'] }],
    ['search .\n', {}],
    ['# search a\n; options ndots:3\n search x # y', { search: ['x'] }],
    ['options timeout:1\noptions attempts:2', { timeout: 1000, attempts: 2 }],
    ['options timeout:0 attempts:0 ndots:0', { timeout: 1000, attempts: 1, ndots: 0 }],
    ['options timeout:99 attempts:99 ndots:99', { timeout: 30_000, attempts: 5, ndots: 15 }],
    ['options timeout:x attempts: ndots', {}],
  ] as const) {
    assert.deepEqual(parseResolvConf(text), { ...DEFAULTS, ...expected }, text);
  }
});

test('an absent file is an empty one', () => {
  assert.deepEqual(readResolvConf('/nonexistent/resolv.conf'), DEFAULTS);
});
