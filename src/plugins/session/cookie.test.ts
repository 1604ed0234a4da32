import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CookieAttributes, cookieProblem, endCookies, readCookies, setCookies } from './cookie.ts';
import { seal, unseal } from './seal.ts';

const PLAIN: CookieAttributes = {
  path: '/',
  domain: null,
  sameSite: 'Strict',
  secure: true,
  httpOnly: true,
};
const TAIL = '; Path=/; SameSite=Strict; Secure; HttpOnly';

test('attributes, in the order that Kong has', () => {
  const set = (attributes: Partial<CookieAttributes>, maxAge: number | null = null): string =>
    String(setCookies('c', 'v', { ...PLAIN, ...attributes }, { before: 0, maxAge }));
  assert.equal(set({}), `c=1v${TAIL}`);
  assert.equal(
    set({ domain: 'a.test', path: '/x' }),
    'c=1v; Path=/x; Domain=a.test; SameSite=Strict; Secure; HttpOnly',
  );
  assert.equal(set({ sameSite: 'Default', secure: false, httpOnly: false }), 'c=1v; Path=/');
  assert.match(set({}, 60.2), /; HttpOnly; Expires=\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT; Max-Age=61$/);
  assert.match(set({}, 1e9), /Max-Age=34560000$/);
  assert.match(set({}, 0), /Max-Age=34560000$/);
});

test('long values lie in several cookies, each small enough for browsers', () => {
  for (const length of [0, 1, 3990, 3996, 3997, 3998, 8000, 30_000]) {
    const value = 'x'.repeat(length);
    const lines = setCookies('session', value, PLAIN, { before: 0, maxAge: null }) ?? assert.fail();
    const pairs = lines.map((line) => line.slice(0, line.indexOf(';')));
    assert.ok(pairs.every((pair) => pair.length <= 4000));
    const jar = new Map(
      pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
    );
    assert.deepEqual(readCookies(jar, 'session'), { value, count: lines.length });
    if (lines.length > 1) {
      jar.delete(`session${lines.length}`);
      assert.equal(readCookies(jar, 'session'), null);
    }
  }
  assert.equal(setCookies('session', 'x'.repeat(40_000), PLAIN, { before: 0, maxAge: null }), null);
  for (const bad of ['', '0x', 'x', '9x'])
    assert.equal(readCookies(new Map([['session', bad]]), 'session'), null);
});

test('cookies that are left over end', () => {
  const lines = setCookies('s', 'v', PLAIN, { before: 3, maxAge: null }) ?? [];
  const gone = 'Expires=Thu, 01 Jan 1970 00:00:01 GMT; Max-Age=0';
  assert.deepEqual(lines.slice(1), [`s2=${TAIL}; ${gone}`, `s3=${TAIL}; ${gone}`]);
  assert.deepEqual(endCookies('s', PLAIN, 0), [`s=${TAIL}; ${gone}`]);
});

test('what browsers drop is told', () => {
  for (const [name, attributes, problem] of [
    ['s', {}, null],
    ['s', { sameSite: 'None' }, null],
    ['s', { sameSite: 'None', secure: false }, /needs cookie_secure/],
    ['__Secure-s', { secure: false }, /needs cookie_secure/],
    ['__Host-s', {}, null],
    ['__Host-s', { path: '/x' }, /cookie_path/],
    ['__host-s', { domain: 'a.test' }, /no cookie_domain/],
  ] as const) {
    const found = cookieProblem(name, { ...PLAIN, ...attributes });
    if (problem === null) assert.equal(found, null, name);
    else assert.match(String(found), problem, name);
  }
});

test('a seal opens with its secret, for its use, unchanged', () => {
  const sealed = seal('héllo', 'secret', 'use');
  assert.equal(unseal(sealed, 'secret', 'use'), 'héllo');
  assert.notEqual(seal('héllo', 'secret', 'use'), sealed);
  assert.equal(unseal(sealed, 'other', 'use'), null);
  assert.equal(unseal(sealed, 'secret', 'other'), null);
  for (let n = 0; n < sealed.length; n++) {
    const other = sealed[n] === 'A' ? 'B' : 'A';
    assert.equal(unseal(`${sealed.slice(0, n)}${other}${sealed.slice(n + 1)}`, 'secret', 'use'), null);
  }
  for (const bad of [
    '',
    'x',
    `${sealed}A`,
    `${sealed}=`,
    ` ${sealed}`,
    sealed.slice(0, -2),
    sealed.slice(0, 40),
  ]) {
    assert.equal(unseal(bad, 'secret', 'use'), null);
  }
});
