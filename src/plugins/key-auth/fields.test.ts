/** Fields of bodies: what is found, and what is left when it is cut out. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import '../../../test/support/fixed-seed.ts';
import { bodyForm, fieldsNamed, withoutArgument, withoutFields } from './fields.ts';

const FORM = 'application/x-www-form-urlencoded';
const JSON_TYPE = 'application/json; charset=utf-8';
const MULTIPART = 'multipart/form-data; boundary="b 1"';

function part(disposition: string, value: string): string {
  return `--b 1\r\nContent-Disposition: form-data; ${disposition}\r\n\r\n${value}\r\n`;
}
const END = '--b 1--\r\n';

/** Values: text, `null` for what is no text, `[]` for several in one. */
const CASES: ReadonlyArray<
  readonly [type: string, body: string, values: ReadonlyArray<string | null>, left: string]
> = [
  [FORM, '', [], ''],
  [FORM, 'key=1', ['1'], ''],
  [FORM, 'a=1&key=2&b=3', ['2'], 'a=1&b=3'],
  [FORM, 'key=1&a=%zz&key=2', ['1', '2'], 'a=%zz'],
  [FORM, 'k%65y=a+b%20c', ['a b c'], ''],
  [FORM, 'key', [null], ''],
  [FORM, 'key=', [''], ''],
  [FORM, 'key[]=1&key[1]=2&xkey=3', [], 'key[]=1&key[1]=2&xkey=3'],
  [FORM, 'key=schl\u00fcssel', ['schl\u00fcssel'], ''],
  [FORM, '&&key==&&', ['='], '&&&'],
  [JSON_TYPE, '', [], ''],
  [JSON_TYPE, '{', [], '{'],
  [JSON_TYPE, '{}', [], '{}'],
  [JSON_TYPE, '["key"]', [], '["key"]'],
  [JSON_TYPE, '"key"', [], '"key"'],
  [JSON_TYPE, '{"key":"1"}', ['1'], '{}'],
  [JSON_TYPE, ' {"a": 1.10, "key" : "1" , "b":[{"key":2}]} ', ['1'], ' {"a": 1.10, "b":[{"key":2}]} '],
  [JSON_TYPE, '{"n":12345678901234567890,"key":"\\u0041"}', ['A'], '{"n":12345678901234567890}'],
  [JSON_TYPE, '{"k\\u0065y":"1","a":"}\\"{"}', ['1'], '{"a":"}\\"{"}'],
  [JSON_TYPE, '{"key":"1","key":"2","a":0,"key":"3"}', ['1', '2', '3'], '{"a":0}'],
  [JSON_TYPE, '{"key":["1"]}', ['many'], '{}'],
  [JSON_TYPE, '{"key":{"a":1}}', ['many'], '{}'],
  [JSON_TYPE, '{"key":7}', [null], '{}'],
  [JSON_TYPE, '{"key":null,"__proto__":{"key":"1"}}', [null], '{"__proto__":{"key":"1"}}'],
  [MULTIPART, `${part('name="key"', '1')}${END}`, ['1'], END],
  [
    MULTIPART,
    `preamble\r\n${part('name=a', 'x\r\n--b 2\r\n')}${part('name="key"', '')}${END}epilogue`,
    [''],
    `preamble\r\n${part('name=a', 'x\r\n--b 2\r\n')}${END}epilogue`,
  ],
  [
    MULTIPART,
    `${part('filename="key"; name="file"', '1')}${END}`,
    [],
    `${part('filename="key"; name="file"', '1')}${END}`,
  ],
  [MULTIPART, `${part('name="key"', '1')}${part('name="key"', '2')}${END}`, ['1', '2'], END],
  [MULTIPART, part('name="key"', '1'), [], part('name="key"', '1')],
  [MULTIPART, '--b 1\r\n', [], '--b 1\r\n'],
  ['multipart/form-data', `${part('name="key"', '1')}${END}`, [], `${part('name="key"', '1')}${END}`],
  ['text/plain', 'key=1', [], 'key=1'],
];

test('fields of that name are found, and nothing else changes when they are cut out', () => {
  for (const [type, text, values, left] of CASES) {
    const body = Buffer.from(text);
    const found = fieldsNamed(body, type, 'key').map(({ value, many }) => (many ? 'many' : value));
    assert.deepEqual(found, values, text);
    assert.equal(withoutFields(body, type, 'key').toString(), left, text);
  }
});

test('bodies that are no UTF-8 have no such JSON field', () => {
  const body = Buffer.from('{"key":"\u00ff"}', 'latin1');
  assert.deepEqual(fieldsNamed(body, JSON_TYPE, 'key'), []);
  const utf16 = Buffer.from('\ufeff{"key":"1"}', 'utf16le');
  assert.deepEqual(fieldsNamed(utf16, JSON_TYPE, 'key'), []);
});

test('a form of very many parts has none', () => {
  const body = Buffer.from(part('name="key"', '1').repeat(2000) + END);
  assert.deepEqual(fieldsNamed(body, MULTIPART, 'key'), []);
});

test('any JSON object without a member is what it was without it', () => {
  const objects = fc.dictionary(
    fc.constantFrom('key', 'a', '"', 'ke\\y', '\u00e9'),
    fc.jsonValue({ maxDepth: 3 }),
  );
  fc.assert(
    fc.property(objects, fc.constantFrom(0, 2), (object, indent) => {
      const body = Buffer.from(JSON.stringify(object, null, indent));
      const left = JSON.parse(withoutFields(body, JSON_TYPE, 'key').toString()) as unknown;
      // As JSON has it: -0 is 0.
      const { key, ...rest } = JSON.parse(body.toString()) as Record<string, unknown>;
      assert.deepEqual(left, rest);
      assert.equal(fieldsNamed(body, JSON_TYPE, 'key').length, key === undefined ? 0 : 1);
    }),
  );
});

test('query arguments', () => {
  for (const [query, left] of [
    ['', ''],
    ['key=1', ''],
    ['a=1&k%65y=2&b=%7e', 'a=1&b=%7e'],
    ['key&key=1&keys=2', 'keys=2'],
  ] as const) {
    assert.equal(withoutArgument(query, 'key'), left);
  }
});

test('kinds of bodies', () => {
  assert.equal(bodyForm('Application/JSON ; charset=utf-8'), 'json');
  assert.equal(bodyForm('application/json-patch+json'), null);
  assert.equal(bodyForm(undefined), null);
});
