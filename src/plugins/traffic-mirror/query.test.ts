import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withoutArgs } from './query.ts';

const CASES: ReadonlyArray<readonly [query: string, without: string]> = [
  ['', ''],
  ['a=1&b=2', 'a=1&b=2'],
  ['key=1', ''],
  ['key', ''],
  ['a=1&key=2&b=3&key=4', 'a=1&b=3'],
  ['%6bey=1&a=%zz', 'a=%zz'],
  ['k+y=1&keys=2', 'keys=2'],
  ['&&key=1&', '&&'],
  ['a=key', 'a=key'],
];

test('arguments are left out, and everything else is as it came', () => {
  for (const [query, without] of CASES) assert.equal(withoutArgs(query, new Set(['key', 'k y'])), without);
  assert.equal(withoutArgs('key=1', new Set()), 'key=1');
});
