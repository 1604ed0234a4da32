import assert from 'node:assert/strict';
import { test } from 'node:test';
import { definitionOf } from '../kinds.ts';
import { luaNumber, parseForm } from './form.ts';
import { inferEntity } from './infer.ts';
import { parseObject } from './json-text.ts';
import { nest } from './names.ts';

function decoded(text: string): Record<string, unknown> {
  return nest(parseForm(text) ?? assert.fail('not UTF-8'));
}

/** Kong's own examples among them. */
const NAMES: ReadonlyArray<[form: string, wanted: unknown]> = [
  ['x=', { x: '' }],
  ['x', { x: true }],
  ['=1&&x=a+b%20c', { x: 'a b c' }],
  ['x=100%&y=%zz', { x: '100%', y: '%zz' }],
  ['x[]=a', { x: ['a'] }],
  ['x[1]=a', { x: ['a'] }],
  ['x[1][1]=a', { x: [['a']] }],
  ['x=1&x=2', { x: ['1', '2'] }],
  ['x[]=1&x[]=2', { x: ['1', '2'] }],
  ['x[2]=b&x[1]=a', { x: ['a', 'b'] }],
  ['x[999999999]=b&x[1]=a', { x: ['a', 'b'] }],
  ['foo[1].a=1&foo[1].b=2&foo[2].a=3', { foo: [{ a: '1', b: '2' }, { a: '3' }] }],
  ['foo[].a=1&foo[].b=2', { foo: [{ a: '1', b: '2' }] }],
  ['foo.bar[21].key=42', { foo: { bar: [{ key: '42' }] } }],
  ['x[a][b][c]=1', { x: { a: { b: { c: '1' } } } }],
  ['x.r[1].s[a][2].t[b].u=a', { x: { r: [{ s: { a: [{ t: { b: { u: 'a' } } }] } }] } }],
  ['headers[a.b]=1', { headers: { 'a.b': '1' } }],
  ['headers%5Bx-one%5D=1', { headers: { 'x-one': '1' } }],
  ['a.1=x', { a: { 1: 'x' } }],
  ['a=1&a.b=2', { a: { b: '2', 1: '1' } }],
  ['.a=1&b.=2', { '.a': '1', 'b.': '2' }],
  ['[x][a]=1', { '[x]': { a: '1' } }],
];

test('names of form fields are nested', () => {
  for (const [form, wanted] of NAMES) assert.deepEqual(decoded(form), wanted, form);
});

test('prototype names and endless names are data', () => {
  const values = decoded('__proto__.x=1&constructor[prototype][y]=2&a[__proto__][z]=3');
  assert.deepEqual(Object.keys(values), ['__proto__', 'constructor', 'a']);
  assert.equal(Object.getPrototypeOf(values), Object.prototype);
  assert.deepEqual(Object.keys(values['a'] as object), ['__proto__']);
  assert.equal(({} as Record<string, unknown>)['x'], undefined);
  const long = `a${'.a'.repeat(100_000)}`;
  assert.deepEqual(Object.keys(decoded(`${long}=1`)), [long]);
});

test('what is no UTF-8 is no form', () => {
  assert.equal(parseForm('a=%ff'), null);
  assert.equal(parseForm('%c3=1'), null);
});

test('numbers are what Lua takes for one', () => {
  const cases: ReadonlyArray<[text: string, wanted: number | null]> = [
    ['10', 10],
    [' 1.5 ', 1.5],
    ['1e3', 1000],
    ['0x10', 16],
    ['-0x10', -16],
    ['', null],
    ['1x', null],
    ['Infinity', null],
    ['NaN', null],
  ];
  for (const [text, wanted] of cases) assert.equal(luaNumber(text), wanted, text);
});

const TYPES: ReadonlyArray<[kind: string, form: string, wanted: unknown]> = [
  [
    'services',
    'port=80&retries=x&enabled=false&tags=a',
    { port: 80, retries: 'x', enabled: false, tags: ['a'] },
  ],
  ['services', 'name=12&path=&url=&nothing=', { name: '12', path: null, url: null, nothing: '' }],
  [
    'services',
    'client_certificate.id=x&ca_certificates=',
    { client_certificate: { id: 'x' }, ca_certificates: null },
  ],
  ['routes', 'paths[]=/a&paths[]=/b&strip_path=true', { paths: ['/a', '/b'], strip_path: true }],
  ['routes', 'headers[x]=1&headers.y=a&headers.y=b', { headers: { x: ['1'], y: ['a', 'b'] } }],
  ['routes', 'sources[1].port=1&sources[2].ip=1.1.1.1', { sources: [{ port: 1 }, { ip: '1.1.1.1' }] }],
  [
    'upstreams',
    'healthchecks.active.healthy.http_statuses[]=200&healthchecks.active.timeout=1.5',
    { healthchecks: { active: { healthy: { http_statuses: [200] }, timeout: 1.5 } } },
  ],
  ['keyauth_credentials', 'ttl=10', { ttl: 10 }],
  ['vaults', 'name=env&config.prefix=', { name: 'env', config: { prefix: null } }],
];

test('texts become what the field is', () => {
  for (const [kind, form, wanted] of TYPES) {
    const found = inferEntity(decoded(form), definitionOf(kind), 'traditional_compatible', null);
    assert.deepEqual(found, wanted, form);
  }
});

test('JSON that is no object, nests too deep or is no text is refused', () => {
  const bytes = (text: string): Uint8Array => Buffer.from(text);
  for (const text of ['', '1', 'null', '[]', '"a"', '{', '{"a":1}}', '{"a":"\\ud800"}', '\ufeff{}']) {
    assert.equal(parseObject(bytes(text)), null, text);
  }
  assert.equal(parseObject(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])), null);
  assert.equal(parseObject(bytes(`{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`)), null);
  const odd = parseObject(bytes('{"__proto__":{"x":1},"a":"\\ud83d\\ude00"}'));
  assert.deepEqual(Object.keys(odd ?? {}), ['__proto__', 'a']);
  assert.equal((odd as { x?: unknown }).x, undefined);
});
