import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parseConf } from './conf-file.ts';
import '../../test/support/fixed-seed.ts';

const CASES: readonly (readonly [
  title: string,
  source: string,
  entries: readonly (readonly [string, string, number])[],
])[] = [
  ['a line', 'prefix = /tmp/x', [['prefix', '/tmp/x', 1]]],
  ['no spaces', 'prefix=/tmp/x', [['prefix', '/tmp/x', 1]]],
  ['tabs and trailing space', '\tprefix\t=\t/tmp/x \t', [['prefix', '/tmp/x', 1]]],
  ['comment lines and empty lines', '# a\n\n  # b = c\n; d = e\nx = 1', [['x', '1', 5]]],
  ['trailing comment', 'x = 1 # one', [['x', '1', 1]]],
  ['comment without a space', 'x = 1#one', [['x', '1', 1]]],
  ['escaped hash', 'x = a\\#b # c \\# d', [['x', 'a#b', 1]]],
  ['a value of nothing but a comment', 'x = # later', [['x', '', 1]]],
  ['equals sign in the value', 'x = a=b', [['x', 'a=b', 1]]],
  ['quotes are part of the value', 'x = "a b"', [['x', '"a b"', 1]]],
  ['empty value', 'x =', [['x', '', 1]]],
  [
    'continued line',
    'x = a, \\\n  b\ny = 1',
    [
      ['x', 'a,   b', 1],
      ['y', '1', 3],
    ],
  ],
  ['a comment is not continued', '# x \\\ny = 1', [['y', '1', 2]]],
  ['backslash at the end of the file', 'x = a\\', [['x', 'a\\', 1]]],
  [
    'CRLF and byte order mark',
    '\uFEFFx = 1\r\ny = 2\r\n',
    [
      ['x', '1', 1],
      ['y', '2', 2],
    ],
  ],
  ['upper case stays', 'X = 1', [['X', '1', 1]]],
];

for (const [title, source, expected] of CASES) {
  test(`conf: ${title}`, () => {
    const { entries, errors } = parseConf(source);
    assert.deepEqual(errors, []);
    assert.deepEqual(
      entries.map(({ name, value, line }) => [name, value, line]),
      expected,
    );
  });
}

test('conf: every bad line is an error with its number', () => {
  const { entries, errors } = parseConf('x = 1\nnonsense\n= 2\n[section]\na b = 3\ny = 4');
  assert.deepEqual(
    errors.map(({ line }) => line),
    [2, 3, 4, 5],
  );
  assert.match(errors[0]?.message ?? '', /expected 'name = value', found 'nonsense'/);
  assert.deepEqual(
    entries.map(({ name }) => name),
    ['x', 'y'],
  );
});

test('conf: of two lines with one name the last wins, with a warning', () => {
  const { entries, warnings } = parseConf('x = 1\ny = 2\nx = 3');
  assert.deepEqual(
    entries.find(({ name }) => name === 'x'),
    { name: 'x', value: '3', line: 3 },
  );
  assert.deepEqual(warnings, [{ line: 3, message: 'x was already set in line 1; this line wins' }]);
});

test('conf: any text is read without throwing, and values written with \\# come back', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void parseConf(text)));
  const value = fc
    .stringMatching(/^[ -~]+$/)
    .map((text) => text.trim())
    .filter((text) => text !== '' && !text.includes('\\'));
  fc.assert(
    fc.property(value, (text) => {
      assert.equal(parseConf(`x = ${text.replaceAll('#', '\\#')}`).entries[0]?.value, text);
    }),
  );
});
