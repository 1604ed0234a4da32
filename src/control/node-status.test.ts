import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryFormat } from './node-status.ts';

const CASES: ReadonlyArray<[unit: string, scale: string, bytes: number, wanted: string | number]> = [
  ['m', '2', 22_000, '0.02 MiB'],
  ['M', '4', 22_000, '0.0210 MiB'],
  ['k', '2', 2048, '2.00 KiB'],
  ['g', '0', 3 * 1024 ** 3, '3 GiB'],
  ['b', '2', 1234, 1234],
];

test('memory is printed in the unit and with the digits asked for', () => {
  for (const [unit, scale, bytes, wanted] of CASES) {
    const format = memoryFormat(unit, scale);
    assert.equal(typeof format === 'string' ? format : format(bytes), wanted);
  }
});

test('unknown units and scales are told', () => {
  for (const [unit, scale] of [
    ['x', '2'],
    ['constructor', '2'],
    ['m', '-1'],
    ['m', 'a'],
    ['m', '1.5'],
    ['m', '999'],
  ]) {
    assert.match(String(memoryFormat(unit ?? '', scale ?? '')), /^invalid (unit|scale)/, `${unit} ${scale}`);
  }
});
