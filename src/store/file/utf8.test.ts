import assert from 'node:assert/strict';
import { constants } from 'node:buffer';
import { test } from 'node:test';
import { decodeText } from './utf8.ts';

const bytes = (...parts: ReadonlyArray<string | number>): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.of(part))));

test('what is not UTF-8 is found at its place', () => {
  const table: ReadonlyArray<readonly [name: string, input: Buffer, place: string | null]> = [
    ['nothing', bytes(), null],
    ['ASCII', bytes('a: 1\n'), null],
    ['UTF-8 with a mark', bytes('\ufeffé: 😀\n'), null],
    ['a replacement character that stands there', bytes('a: \ufffd\n'), null],
    ['Latin-1', bytes('a: 1\r\nné: caf', 0xe9, '\n'), '2:8'],
    ['the first byte', bytes(0xff, 0xfe, 'a', 0), '1:1'],
    ['cut within a character', bytes('a: 😀', 0xf0, 0x9f), '1:6'],
    ['an overlong form', bytes('a\n', 0xc0, 0xaf), '2:1'],
    ['half of a surrogate pair', bytes('a\nb', 0xed, 0xa0, 0x80), '2:2'],
  ];
  for (const [name, input, place] of table) {
    const { text, error } = decodeText(input);
    assert.equal(error === null ? null : `${error.line}:${error.column}`, place, name);
    assert.equal(text, place === null ? input.toString() : null, name);
  }
  assert.deepEqual(decodeText(bytes(0xff)).error, {
    line: 1,
    column: 1,
    path: '',
    at: [],
    message: 'failed parsing declarative configuration: the text is not UTF-8',
    kind: 'syntax',
  });
});

test('what is longer than a string can be is an error like others', () => {
  const { error } = decodeText(Buffer.alloc(constants.MAX_STRING_LENGTH + 1));
  assert.match(error?.message ?? '', /the text is longer than 512 MiB$/);
});
