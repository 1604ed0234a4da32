import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AddressHolds } from './address-holds.ts';
import type { ResolvedAddress } from './resolver.ts';

/** `ip` or `ip:port`. */
const list = (text: string): ResolvedAddress[] =>
  text
    .split(' ')
    .filter((one) => one !== '')
    .map((one) => {
      const [ip = '', port] = one.split(':');
      return { ip, port: port === undefined ? null : Number(port), weight: 1 };
    });

/** Other names' addresses; what the name had and has now; the address and which of the ports 1 and 2 stay. */
const CASES: ReadonlyArray<
  readonly [others: string, before: string, after: string, left: readonly string[]]
> = [
  ['', 'a', 'b', ['a -']],
  ['', 'a b', 'b a', []],
  ['', 'a a', 'a', []],
  ['', 'a', '', ['a -']],
  ['a', 'a', 'b', []],
  ['a:1', 'a', 'b', ['a 1']],
  ['a', 'a:1', 'b', []],
  ['a:2', 'a:1', 'a:2', ['a 2']],
  ['', 'a:1', 'a:2', ['a 2']],
  ['', 'a:1 a:2', 'b', ['a -']],
  ['', 'a', 'a:1', ['a 1']],
];

test('which addresses and ports have left the last of their names', () => {
  for (const [others, before, after, expected] of CASES) {
    const holds = new AddressHolds();
    holds.replace(null, list(others));
    const first = list(before);
    holds.replace(null, first);
    const left: string[] = [];
    holds.listener = (ip, stays) => left.push(`${ip} ${[1, 2].filter(stays).join() || '-'}`);
    holds.replace(first, list(after));
    assert.deepEqual(left, expected, `${others} | ${before} -> ${after}`);
  }
});

test('what is forgotten has not left', () => {
  const holds = new AddressHolds();
  const [one, two] = [list('a'), list('a')];
  holds.listener = () => assert.fail('nothing has left');
  holds.replace(null, one);
  holds.replace(null, two);
  holds.forget(one);
  holds.forget(two);
  holds.listener = (ip) => assert.equal(ip, 'a');
});
