import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { FlatHeaders } from '../flat-headers.ts';
import { FieldLines } from './field-lines.ts';
import { HASH_SEED, hashName, ID } from './field-names.ts';
import { RequestHeadParser } from './head-parser.ts';
import '../../../test/support/fixed-seed.ts';

const LIMITS = { lineBytes: 8192, headBytes: 65_536, lines: 1000 };

/** The field lines of a request with these lines. */
function parsed(lines: ReadonlyArray<readonly [string, string]>): FieldLines {
  const text = `GET / HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
  const bytes = Buffer.from(text, 'latin1');
  const parser = new RequestHeadParser(new FieldLines(Buffer.alloc(0)), LIMITS);
  assert.equal(parser.parse(bytes, 0, bytes.length), bytes.length);
  return parser.fields;
}

function copied(fields: FieldLines): string {
  const target = Buffer.alloc(fields.byteLength + 8, '!');
  const end = fields.copyTo(target, 4);
  assert.ok(end - 4 <= fields.byteLength, 'more bytes than were promised');
  assert.equal(target.toString('latin1', end), '!'.repeat(target.length - end));
  return target.toString('latin1', 4, end);
}

const SAMPLE = [
  ['Host', 'a.test'],
  ['X-One', '1'],
  ['x-one', '2'],
  ['Via', 'v1'],
  ['VIA', 'v2'],
  ['Empty', ''],
] as const;

test('look-ups by name, in any spelling of the line', () => {
  const fields = parsed(SAMPLE);
  assert.equal(fields.get('x-one'), '1');
  assert.deepEqual(fields.all('x-one'), ['1', '2']);
  assert.deepEqual(fields.all('via'), ['v1', 'v2']);
  assert.deepEqual([fields.get('empty'), fields.has('empty')], ['', true]);
  assert.deepEqual(
    [fields.get('nothing'), fields.has('nothing'), fields.all('nothing')],
    [undefined, false, []],
  );
  assert.deepEqual(
    [fields.get('x-on'), fields.get('x-onee'), fields.get('')],
    [undefined, undefined, undefined],
  );
  assert.equal(fields.known(ID.via), 'v1');
  assert.equal(fields.known(ID.te), undefined);
});

test('lines are copied as they came, in runs around what was removed', () => {
  const lines = SAMPLE.map(([name, value]) => `${name}: ${value}\r\n`);
  // Every subset of names: runs at the start, in the middle, at the end, and nothing at all.
  const names = ['host', 'x-one', 'via', 'empty'];
  for (let set = 0; set < 1 << names.length; set++) {
    const fields = parsed(SAMPLE);
    const removed = names.filter((_, bit) => (set & (1 << bit)) !== 0);
    for (const name of removed) fields.remove(name);
    const wanted = lines.filter((_, index) => !removed.includes((SAMPLE[index]?.[0] ?? '').toLowerCase()));
    assert.equal(copied(fields), wanted.join(''), removed.join(' '));
    for (const name of removed) assert.equal(fields.has(name), false);
  }
});

test('white space around values is copied as it came and is no part of the value', () => {
  const bytes = Buffer.from('GET / HTTP/1.1\r\nA:  b \t\r\nC:\r\n\r\n', 'latin1');
  const parser = new RequestHeadParser(new FieldLines(Buffer.alloc(0)), LIMITS);
  parser.parse(bytes, 0, bytes.length);
  assert.equal(parser.fields.get('a'), 'b');
  assert.equal(copied(parser.fields), 'A:  b \t\r\nC:\r\n');
});

test('set replaces all lines of the name, add keeps them, both write at the end', () => {
  const fields = parsed(SAMPLE);
  fields.set('X-One', '3');
  fields.add('x-one', '4');
  fields.set('Via', 'w');
  fields.set('Via', 'x');
  assert.deepEqual(fields.all('x-one'), ['3', '4']);
  assert.deepEqual(fields.all('via'), ['x']);
  assert.equal(copied(fields), 'Host: a.test\r\nEmpty: \r\nX-One: 3\r\nx-one: 4\r\nVia: x\r\n');
});

test('no lines at all', () => {
  const fields = parsed([]);
  assert.equal(copied(fields), '');
  fields.add('A', 'b');
  assert.equal(copied(fields), 'A: b\r\n');
  fields.remove('a');
  assert.equal(copied(fields), '');
});

/** The hash is a public function of the name, so a client can look for a collision. So does this search. */
function collisionWith(name: string): string {
  const wanted = hashName(name);
  // hash(prefix + x + y): for each prefix and x, the last byte that would give the wanted hash is known.
  const alphabet = Array.from('abcdefghijklmnopqrstuvwxyz0123456789-_.~!#$%&*+^`|');
  const inverse = 0x3e0f83e1; // of 33, modulo 2^32
  assert.equal(Math.imul(33, inverse) | 0, 1);
  // Meet in the middle: forward hashes of four letters, backward from the wanted hash over four.
  const forward = new Map<number, string>();
  const words = alphabet.flatMap((a) => alphabet.flatMap((b) => alphabet.map((c) => a + b + c)));
  for (const word of words) {
    let hash = HASH_SEED;
    for (let i = 0; i < word.length; i++) hash = Math.imul(hash, 33) ^ word.charCodeAt(i);
    forward.set(hash | 0, word);
  }
  for (const middle of alphabet) {
    for (const word of words) {
      const tail = middle + word;
      let hash = wanted;
      for (let i = tail.length - 1; i >= 0; i--) hash = Math.imul(hash ^ tail.charCodeAt(i), inverse);
      const head = forward.get(hash | 0);
      if (head !== undefined && head + tail !== name) return head + tail;
    }
  }
  return assert.fail(`no collision with ${name} found`);
}

test('a name with the very hash of a known name is another name', () => {
  for (const name of ['content-length', 'transfer-encoding', 'host'] as const) {
    const other = collisionWith(name);
    assert.equal(hashName(other), hashName(name), 'the search found a real collision');
    const fields = parsed([
      ['Host', 'a'],
      [other, '666'],
    ]);
    assert.equal(fields.get(other), '666');
    if (name !== 'host') {
      assert.equal(fields.known(ID[name]), undefined, `${other} was taken for ${name}`);
      assert.equal(fields.has(name), false);
    } else {
      assert.equal(fields.repeated, 0);
    }
    fields.remove(name);
    assert.equal(fields.get(other), '666', 'removed with the name that it collides with');
  }
});

test('two unknown names of one hash are two names', () => {
  const one = 'x-unknown';
  const other = collisionWith(one);
  assert.equal(hashName(one), hashName(other));
  const fields = parsed([
    [other, '2'],
    [one, '1'],
  ]);
  assert.deepEqual([fields.get(one), fields.all(other)], ['1', ['2']]);
  fields.remove(other);
  assert.equal(copied(fields), `${one}: 1\r\n`);
});

test('detached lines live on when their buffer is overwritten', () => {
  const bytes = Buffer.from('GET / HTTP/1.1\r\nA: b\r\nHost: c\r\nVia: d\r\n\r\n', 'latin1');
  const parser = new RequestHeadParser(new FieldLines(Buffer.alloc(0)), LIMITS);
  parser.parse(bytes, 0, bytes.length);
  const { fields } = parser;
  fields.remove('host');
  fields.add('E', 'f');
  fields.detach();
  bytes.fill('?');
  assert.deepEqual([fields.get('a'), fields.known(ID.via), fields.get('host')], ['b', 'd', undefined]);
  assert.equal(copied(fields), 'A: b\r\nVia: d\r\nE: f\r\n');
  fields.detach();
  assert.equal(copied(fields), 'A: b\r\nVia: d\r\nE: f\r\n');
});

test('what was received is known whatever becomes of the lines', () => {
  const fields = parsed(SAMPLE);
  for (const name of ['via', 'x-one', 'host', 'empty']) fields.set(name, 'new');
  fields.detach();
  assert.deepEqual(fields.received('via'), ['v1', 'v2']);
  assert.deepEqual(fields.received('x-one'), ['1', '2']);
  assert.deepEqual(fields.received('empty'), ['']);
  assert.deepEqual(fields.received('nothing'), []);
  assert.deepEqual(fields.all('via'), ['new']);
});

test('more lines than there was room for at first', () => {
  const lines = Array.from({ length: 500 }, (_, index) => [`N${index}`, String(index)] as const);
  const fields = parsed(lines);
  assert.equal(fields.count, 500);
  for (const [name, value] of lines) assert.equal(fields.get(name.toLowerCase()), value);
});

/** The same edits on lines from the wire and on a flat list: both must say the same. */
test('any edits: as a flat list would do it', () => {
  const name = fc.constantFrom(
    'Host',
    'X-One',
    'x-ONE',
    'Via',
    'Content-Length',
    'X-Real-IP',
    'x-real-ip',
    'B',
  );
  const value = fc.constantFrom('', '1', 'two words', '\xe9');
  const edit = fc.record({
    kind: fc.constantFrom('set' as const, 'add' as const, 'remove' as const),
    name,
    value,
  });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(name, value), { maxLength: 12 }),
      fc.array(edit, { maxLength: 8 }),
      (lines, edits) => {
        const fields = parsed(lines);
        const flat = new FlatHeaders(lines.flat());
        for (const { kind, name: field, value: text } of edits) {
          for (const headers of [fields, flat]) {
            if (kind === 'remove') headers.remove(field.toLowerCase());
            else headers[kind](field, text);
          }
        }
        const list = (headers: FieldLines | FlatHeaders): string[] => {
          const all: string[] = [];
          headers.each((field, text) => all.push(`${field}: ${text}\r\n`));
          return all;
        };
        assert.deepEqual(list(fields), list(flat));
        assert.equal(copied(fields), list(flat).join(''));
        for (const wanted of ['host', 'x-one', 'via', 'content-length', 'x-real-ip', 'b', 'none']) {
          assert.deepEqual(fields.all(wanted), flat.all(wanted), wanted);
          assert.equal(fields.get(wanted), flat.get(wanted), wanted);
          assert.equal(fields.has(wanted), flat.has(wanted), wanted);
          assert.equal(fields.repeats(wanted), flat.repeats(wanted), wanted);
        }
      },
    ),
    { numRuns: 500 },
  );
});
