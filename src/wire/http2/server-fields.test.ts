/** Fields of a request over HTTP/2: what is looked up, replaced and taken out, in whatever spelling. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Http2Fields } from './server-fields.ts';

const RECEIVED = [':path', '/', 'x-a', '1', 'x-b', '2', 'x-a', '3', 'cookie', 'a=1', 'cookie', 'b=2'];

function fields(): Http2Fields {
  return new Http2Fields(RECEIVED, ['x-a', '1', 'x-b', '2', 'x-a', '3', 'cookie', 'a=1; b=2']);
}

const lines = (headers: Http2Fields): string[] => {
  const out: string[] = [];
  headers.each((name, value) => out.push(`${name}: ${value}`));
  return out;
};

const CASES: ReadonlyArray<
  readonly [what: string, change: (headers: Http2Fields) => void, lines: readonly string[]]
> = [
  ['nothing', () => {}, ['x-a: 1', 'x-b: 2', 'x-a: 3', 'cookie: a=1; b=2']],
  ['set replaces all', (h) => h.set('X-A', '9'), ['X-A: 9', 'x-b: 2', 'cookie: a=1; b=2']],
  ['set adds', (h) => h.set('Via', 'x'), ['x-a: 1', 'x-b: 2', 'x-a: 3', 'cookie: a=1; b=2', 'Via: x']],
  [
    'set twice',
    (h) => [h.set('Via', 'x'), h.set('via', 'y')],
    ['x-a: 1', 'x-b: 2', 'x-a: 3', 'cookie: a=1; b=2', 'via: y'],
  ],
  ['add keeps', (h) => h.add('x-b', '4'), ['x-a: 1', 'x-b: 2', 'x-a: 3', 'cookie: a=1; b=2', 'x-b: 4']],
  ['remove takes all', (h) => h.remove('X-a'), ['x-b: 2', 'cookie: a=1; b=2']],
  [
    'remove of what was added',
    (h) => [h.add('X-C', '1'), h.remove('x-c')],
    ['x-a: 1', 'x-b: 2', 'x-a: 3', 'cookie: a=1; b=2'],
  ],
  ['remove of nothing', (h) => h.remove('x-z'), ['x-a: 1', 'x-b: 2', 'x-a: 3', 'cookie: a=1; b=2']],
];

for (const [what, change, expected] of CASES) {
  test(what, () => {
    const headers = fields();
    change(headers);
    assert.deepEqual(lines(headers), expected);
  });
}

test('look-ups, and what was received whatever is taken out', () => {
  const headers = fields();
  headers.add('X-Real-IP', 'ip');
  assert.equal(headers.get('x-real-ip'), 'ip');
  assert.deepEqual(headers.all('x-a'), ['1', '3']);
  assert.deepEqual(
    [headers.repeats('x-a'), headers.repeats('x-b'), headers.has('x-c')],
    [true, false, false],
  );
  headers.remove('x-a');
  assert.deepEqual([headers.get('x-a'), headers.all('x-a')], [undefined, []]);
  assert.deepEqual(headers.received('x-a'), ['1', '3']);
  assert.deepEqual(headers.received('cookie'), ['a=1; b=2']);
});
