/** What requests are hashed on, with fallbacks (Kong's rules). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hash32 } from '../zone/hash32.ts';
import { HashSource, type HashInput, type HashOptions } from './hash-source.ts';

const OPTIONS: HashOptions = {
  hash_on: 'none',
  hash_fallback: 'none',
  hash_on_header: null,
  hash_fallback_header: null,
  hash_on_cookie: null,
  hash_on_cookie_path: '/',
  hash_on_query_arg: null,
  hash_fallback_query_arg: null,
  hash_on_uri_capture: null,
  hash_fallback_uri_capture: null,
};

interface Asked {
  readonly consumerId?: string;
  readonly path?: string;
  readonly query?: string;
  readonly headers?: Readonly<Record<string, readonly string[]>>;
  readonly captures?: Readonly<Record<string, string>>;
}

function request({ consumerId, path = '/', query = '', headers = {}, captures = {} }: Asked): HashInput {
  return {
    consumerId: consumerId ?? null,
    clientIp: '192.0.2.1',
    path,
    query,
    hashHeader: (name) => headers[name] ?? [],
    capture: (name) => captures[name],
  };
}

const header = { hash_on: 'header', hash_on_header: 'X-Key' } as const;
const cookie = { hash_on: 'cookie', hash_on_cookie: 'sid' } as const;
const query = { hash_on: 'query_arg', hash_on_query_arg: 'k' } as const;
const capture = { hash_on: 'uri_capture', hash_on_uri_capture: 'id' } as const;
const onIp = { hash_fallback: 'ip' } as const;
const IP = '192.0.2.1';

const CASES: ReadonlyArray<readonly [options: Partial<HashOptions>, asked: Asked, value: string]> = [
  [{}, {}, ''],
  [{ hash_on: 'consumer' }, { consumerId: 'c1' }, 'c1'],
  [{ hash_on: 'consumer' }, {}, ''],
  [{ hash_on: 'consumer', ...onIp }, {}, IP],
  [{ hash_on: 'ip' }, {}, IP],
  [{ hash_on: 'path' }, { path: '/a/b' }, '/a/b'],
  [header, { headers: { 'x-key': ['v'] } }, 'v'],
  [header, { headers: { 'x-key': ['v', 'w'] } }, 'vw'],
  [{ ...header, ...onIp }, { headers: { 'x-key': [''] } }, ''],
  [header, {}, ''],
  [{ ...header, ...onIp }, {}, IP],
  [{ ...header, hash_fallback: 'header', hash_fallback_header: 'Y' }, { headers: { y: ['z'] } }, 'z'],
  [{ ...header, hash_fallback: 'path' }, { path: '/p' }, '/p'],
  [{ ...header, hash_fallback: 'consumer' }, {}, ''],
  [cookie, { headers: { cookie: ['sid=abc'] } }, 'abc'],
  [cookie, { headers: { cookie: ['a=1; sid=abc; b=sid=x'] } }, 'abc'],
  [cookie, { headers: { cookie: ['sidx=1; xsid=2', 'c=3;sid=abc'] } }, 'abc'],
  [cookie, { headers: { cookie: ['sid=; sid=second'] } }, 'second'],
  [{ ...header, hash_fallback: 'cookie', hash_on_cookie: 'sid' }, { headers: { cookie: ['sid=q'] } }, 'q'],
  [query, { query: 'k=1' }, '1'],
  [query, { query: 'k=b&x=0&k=a' }, 'a,b'],
  [query, { query: 'k' }, 'true'],
  [query, { query: 'k=' }, ''],
  [query, { query: 'k=a%20b+c%' }, 'a b c%'],
  [query, { query: '%6b=1' }, '1'],
  [{ ...query, ...onIp }, { query: 'kk=1&=2&&' }, IP],
  [{ ...query, hash_fallback: 'query_arg', hash_fallback_query_arg: 'l' }, { query: 'l=7' }, '7'],
  [capture, { captures: { id: '42' } }, '42'],
  [{ ...capture, ...onIp }, { captures: { other: '1' } }, IP],
  [
    { ...capture, hash_fallback: 'uri_capture', hash_fallback_uri_capture: '1' },
    { captures: { '1': 'first' } },
    'first',
  ],
];

for (const [options, asked, value] of CASES) {
  test(`${JSON.stringify(options)} of ${JSON.stringify(asked)} is '${value}'`, () => {
    const source = new HashSource({ ...OPTIONS, ...options });
    assert.deepEqual(source.of(request(asked)), { hash: hash32(value), setCookie: null });
  });
}

const COOKIES: ReadonlyArray<
  readonly [options: Partial<HashOptions>, headers: Asked['headers'], path: string]
> = [
  [cookie, {}, '/'],
  [cookie, { cookie: ['other=1; sid='] }, '/'],
  [{ ...cookie, hash_on_cookie_path: '/shop' }, {}, '/shop'],
  [{ ...header, hash_fallback: 'cookie', hash_on_cookie: 'sid' }, {}, '/'],
];
for (const [options, headers = {}, path] of COOKIES) {
  test(`${JSON.stringify(options)}: a client without cookie gets one`, () => {
    const source = new HashSource({ ...OPTIONS, ...options });
    const { hash, setCookie } = source.of(request({ headers }));
    const made =
      /^sid=([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}); Path=([^;]*); SameSite=Lax; HttpOnly$/.exec(
        setCookie ?? '',
      );
    assert.ok(made, String(setCookie));
    assert.equal(made[2], path);
    assert.equal(hash, hash32(made[1] ?? ''));
    const again = source.of(request({ headers: { cookie: [`sid=${made[1]}`] } }));
    assert.deepEqual(again, { hash, setCookie: null }, 'and stays where it is');
  });
}
