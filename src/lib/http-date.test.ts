import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseHttpDate } from './http-date.ts';

const CASES: ReadonlyArray<readonly [text: string, at: number | null]> = [
  ['Sun, 06 Nov 1994 08:49:37 GMT', 784_111_777_000],
  ['Sunday, 06-Nov-94 08:49:37 GMT', 784_111_777_000],
  ['Sun Nov  6 08:49:37 1994', 784_111_777_000],
  ['Thu, 29 Feb 2024 00:00:00 GMT', 1_709_164_800_000],
  ['Monday, 01-Jan-24 00:00:00 GMT', 1_704_067_200_000],
  ['Wed, 29 Feb 2023 00:00:00 GMT', null],
  ['Sun, 00 Nov 1994 08:49:37 GMT', null],
  ['Sun, 32 Nov 1994 08:49:37 GMT', null],
  ['Sun, 06 Nov 1994 24:49:37 GMT', null],
  ['Sun, 06 Now 1994 08:49:37 GMT', null],
  ['Sun, 06 Nov 1994 08:49:37 +0000', null],
  ['Sun, 06 Nov 1994 08:49:37', null],
  ['1994-11-06T08:49:37Z', null],
  ['784111777', null],
  ['', null],
];

test('dates of HTTP, and nothing that only looks like one', () => {
  for (const [text, at] of CASES) assert.equal(parseHttpDate(text), at, text);
});
