/** Arguments and cookies: nothing that a client writes throws, is lost or becomes another's. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import '../../../test/support/fixed-seed.ts';
import { parseArgs, parseCookies } from './parse.ts';

const latin1 = fc.string({
  unit: fc.integer({ min: 0x21, max: 0xff }).map((code) => String.fromCharCode(code)),
});

describe('arguments', () => {
  const CASES: ReadonlyArray<readonly [query: string, wanted: Array<[string, string[]]>]> = [
    ['', []],
    ['a', [['a', ['']]]],
    ['a=1&a=2&a', [['a', ['1', '2', '']]]],
    ['a+b=c+d', [['a b', ['c d']]]],
    ['a%2Bb=%26%3d', [['a+b', ['&=']]]],
    ['a=b=c', [['a', ['b=c']]]],
    ['&&=&', [['', ['']]]],
    ['a=%', [['a', ['%']]]],
    ['a=%4', [['a', ['%4']]]],
    ['a=%4g%20x', [['a', ['%4g x']]]],
    ['a=%e2%82%ac', [['a', ['€']]]],
    ['a=\u00e2\u0082\u00ac', [['a', ['€']]]],
    ['a=%e2%82', [['a', ['\u00e2\u0082']]]],
    ['a=%ef%bf%bd', [['a', ['\ufffd']]]],
    ['a=%00%0d%0a', [['a', ['\u0000\r\n']]]],
    ['constructor=1', [['constructor', ['1']]]],
  ];
  for (const [query, wanted] of CASES) {
    test(JSON.stringify(query), () => {
      assert.deepEqual([...parseArgs(query)], wanted);
    });
  }

  test('what is encoded comes back', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }))),
        (pairs) => {
          const query = pairs
            .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
            .join('&');
          const wanted = new Map<string, string[]>();
          for (const [name, value] of pairs) wanted.set(name, [...(wanted.get(name) ?? []), value]);
          assert.deepEqual(parseArgs(query), wanted);
        },
      ),
    );
  });

  test('nothing throws, and each pair is one value', () => {
    fc.assert(
      fc.property(latin1, (query) => {
        const values = [...parseArgs(query).values()].flat();
        assert.equal(values.length, query.split('&').filter((pair) => pair !== '').length);
      }),
    );
  });

  test('many are read in one pass', () => {
    assert.equal(parseArgs('a&'.repeat(100_000)).get('a')?.length, 100_000);
    assert.equal(parseArgs(`a=${'%'.repeat(100_000)}`).get('a')?.[0]?.length, 100_000);
  });
});

describe('cookies', () => {
  const CASES: ReadonlyArray<readonly [lines: string[], wanted: Array<[string, string]>]> = [
    [[], []],
    [
      ['a=1; b=2'],
      [
        ['a', '1'],
        ['b', '2'],
      ],
    ],
    [
      ['a=1', 'a=2; b=3'],
      [
        ['a', '1'],
        ['b', '3'],
      ],
    ],
    [
      ['a="1 2"; ; =x; c'],
      [
        ['a', '"1 2"'],
        ['', 'x'],
      ],
    ],
    [
      ['a=b=c;d= e '],
      [
        ['a', 'b=c'],
        ['d', 'e'],
      ],
    ],
    [['__proto__=1'], [['__proto__', '1']]],
  ];
  for (const [lines, wanted] of CASES) {
    test(JSON.stringify(lines), () => {
      assert.deepEqual([...parseCookies(lines)], wanted);
    });
  }

  test('nothing throws, and no value has a semicolon', () => {
    fc.assert(
      fc.property(fc.array(latin1), (lines) => {
        for (const value of parseCookies(lines).values()) assert.ok(!value.includes(';'));
      }),
    );
  });
});
