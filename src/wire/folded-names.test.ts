/** Lines go in whatever spelling, from every kind of header list. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FlatHeaders } from './flat-headers.ts';
import { FoldedNames } from './folded-names.ts';
import { FieldLines } from './http1/field-lines.ts';
import { hashName } from './http1/field-names.ts';
import { Http2Fields } from './http2/server-fields.ts';
import type { Headers } from './message.ts';

const FIELDS = [
  'x-a-b',
  '1',
  'X_A-B',
  '2',
  'x-a-c',
  '3',
  'x_a_b',
  '4',
  'X-A-B',
  '5',
  'x-a',
  '6',
  'user-agent',
  '7',
];
const NAMES = new FoldedNames(['X-A-B', 'User-Agent', 'x-none']);

function fieldLines(): Headers {
  const text = FIELDS.flatMap((name, at) =>
    at % 2 === 0 ? [`${name}: ${FIELDS[at + 1] ?? ''}\r\n`] : [],
  ).join('');
  const lines = new FieldLines(Buffer.from(`${text}\r\n`, 'latin1'));
  let from = 0;
  for (let at = 0; at < FIELDS.length; at += 2) {
    const name = FIELDS[at] ?? '';
    lines.push(
      from,
      from + name.length,
      from + name.length + 2,
      from + name.length + 3,
      hashName(name.toLowerCase()),
    );
    from += name.length + 5;
  }
  lines.end = from;
  return lines;
}

const KINDS: ReadonlyArray<readonly [string, () => Headers]> = [
  ['HTTP/1.1', fieldLines],
  ['flat', () => new FlatHeaders(FIELDS)],
  [
    'HTTP/2',
    () =>
      new Http2Fields(
        FIELDS,
        FIELDS.map((text) => text.toLowerCase()),
      ),
  ],
];

for (const [kind, make] of KINDS) {
  test(`${kind}: all spellings go, received or added, and nothing else`, () => {
    const headers = make();
    headers.add('X-A-B', '8');
    headers.add('X-A_B', '9');
    headers.add('X-Other', '10');
    headers.add('User-Agent', '11');
    headers.removeSpellings(NAMES);
    const left: string[] = [];
    headers.each((name, value) => left.push(`${name.toLowerCase()}: ${value}`));
    assert.deepEqual(left, ['x-a-c: 3', 'x-a: 6', 'x-other: 10']);
    assert.equal(headers.has('user-agent'), false);
    headers.add('X-A-B', '12');
    assert.deepEqual(headers.all('x-a-b'), ['12']);
  });
}
