import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { test } from 'node:test';
import type { FetchResponse } from '../kit/services.ts';
import { type JwksOptions, JwksSource, RETRY_MS } from './jwks-source.ts';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwk = (key: KeyObject, facts: object): object => ({ ...key.export({ format: 'jwk' }), ...facts });

/** An issuer whose answers a test holds back. */
class Issuer {
  keys: unknown = [];
  status = 200;
  asked = 0;
  readonly #waiting: Array<() => void> = [];

  readonly fetch = (): Promise<FetchResponse> => {
    this.asked++;
    const { keys, status } = this;
    return new Promise((resolve) =>
      this.#waiting.push(() => resolve({ status, json: () => ({ keys }) } as unknown as FetchResponse)),
    );
  };

  async answer(): Promise<void> {
    for (const one of this.#waiting.splice(0)) one();
    await new Promise(setImmediate);
  }
}

function sourceOf(
  issuer: Issuer,
  options: Partial<JwksOptions> = {},
): { source: JwksSource; clock: { now: number }; warnings: string[] } {
  const clock = { now: 1_000_000 };
  const warnings: string[] = [];
  const source = new JwksSource({
    uri: 'http://issuer.test/jwks',
    rotateMs: 0,
    symmetric: false,
    fetch: issuer.fetch,
    warn: (message) => warnings.push(message),
    now: () => clock.now,
    ...options,
  });
  return { source, clock, warnings };
}

test('a thousand who wait for the keys are one question', async () => {
  const issuer = new Issuer();
  issuer.keys = [jwk(rsa.publicKey, { kid: 'a' })];
  const { source } = sourceOf(issuer);
  const all = Array.from({ length: 1000 }, () => source.candidates('a', 'RS256'));
  await issuer.answer();
  const found = await Promise.all(all.map(async (one) => one));
  assert.deepEqual([issuer.asked, found.every((keys) => keys.length === 1)], [1, true]);
  assert.ok(Array.isArray(source.candidates('a', 'RS256')), 'what is known is there at once');
});

test('invented names of keys make it ask once in a while, and a new key is found then', async () => {
  const issuer = new Issuer();
  issuer.keys = [jwk(rsa.publicKey, { kid: 'a' })];
  const { source, clock } = sourceOf(issuer);
  const first = source.candidates('a', 'RS256');
  await issuer.answer();
  await first;
  for (let i = 0; i < 1000; i++) assert.deepEqual(source.candidates(`x${i}`, 'RS256'), []);
  assert.equal(issuer.asked, 1);
  issuer.keys = [jwk(ec.publicKey, { kid: 'b' })];
  clock.now += RETRY_MS;
  const some = Array.from({ length: 100 }, (_, i) => source.candidates(i === 0 ? 'b' : `y${i}`, 'ES256'));
  await issuer.answer();
  const found = await Promise.all(some.map(async (one) => one));
  assert.deepEqual([issuer.asked, found[0]?.length, found[1]?.length], [2, 1, 0]);
  assert.deepEqual(source.candidates('a', 'RS256'), [], 'a key that is gone is gone');
});

test('an issuer that fails is asked again, not by everybody, and what was known serves on', async () => {
  const issuer = new Issuer();
  issuer.keys = [jwk(rsa.publicKey, { kid: 'a' })];
  const { source, clock, warnings } = sourceOf(issuer, { rotateMs: 60_000 });
  issuer.status = 503;
  const none = source.candidates('a', 'RS256');
  await issuer.answer();
  assert.deepEqual(await none, []);
  assert.deepEqual(source.candidates('a', 'RS256'), []);
  assert.equal(issuer.asked, 1);
  issuer.status = 200;
  clock.now += RETRY_MS;
  const found = source.candidates('a', 'RS256');
  await issuer.answer();
  const [key] = await found;
  assert.ok(key !== undefined);
  for (const [status, keys] of [
    [500, issuer.keys],
    [200, 'no list'],
  ] as const) {
    issuer.status = status;
    issuer.keys = keys;
    clock.now += 60_000;
    const asked: number = issuer.asked;
    for (let i = 0; i < 10; i++) assert.deepEqual(source.candidates('a', 'RS256'), [key]);
    assert.equal(issuer.asked, asked + 1);
    await issuer.answer();
  }
  assert.equal(source.has(key), true);
  assert.deepEqual(warnings, [
    'no keys from http://issuer.test/jwks: it answered 503',
    'no keys from http://issuer.test/jwks: it answered 500',
    'no keys from http://issuer.test/jwks: it is no JWK set',
  ]);
});

const KEYS: ReadonlyArray<
  readonly [what: string, key: unknown, kid: string | null, alg: string, usable: boolean]
> = [
  ['by its name', jwk(rsa.publicKey, { kid: 'a' }), 'a', 'RS256', true],
  ['of any name', jwk(rsa.publicKey, { kid: 'a' }), null, 'RS256', true],
  ['of another name', jwk(rsa.publicKey, { kid: 'a' }), 'b', 'RS256', false],
  ['without a name, and one is wanted', jwk(rsa.publicKey, {}), 'a', 'RS256', false],
  ['of another algorithm', jwk(rsa.publicKey, { kid: 'a', alg: 'RS512' }), 'a', 'RS256', false],
  ['of another kind', jwk(ec.publicKey, { kid: 'a' }), 'a', 'RS256', false],
  ['of RSA as a secret', jwk(rsa.publicKey, { kid: 'a' }), 'a', 'HS256', false],
  [
    'of RSA that calls itself one of HMAC',
    jwk(rsa.publicKey, { kid: 'a', alg: 'HS256' }),
    'a',
    'HS256',
    false,
  ],
  ['to encrypt with', jwk(rsa.publicKey, { kid: 'a', use: 'enc' }), 'a', 'RS256', false],
  ['a private one', jwk(rsa.privateKey, { kid: 'a' }), 'a', 'RS256', true],
  ['a secret', { kty: 'oct', k: 'c2VjcmV0', kid: 'a' }, 'a', 'HS256', false],
  ['broken', { kty: 'RSA', n: 'x', kid: 'a' }, 'a', 'RS256', false],
  ['none', null, 'a', 'RS256', false],
  ['a text', 'key', 'a', 'RS256', false],
];

test('which key of a set is taken', async () => {
  for (const [what, key, kid, alg, usable] of KEYS) {
    const issuer = new Issuer();
    issuer.keys = [key];
    const { source } = sourceOf(issuer);
    const found = source.candidates(kid, alg);
    await issuer.answer();
    assert.equal((await found).length, usable ? 1 : 0, what);
  }
  const issuer = new Issuer();
  issuer.keys = [
    { kty: 'oct', k: 'c2VjcmV0', kid: 'a' },
    { kty: 'oct', k: '', kid: 'b' },
  ];
  const { source } = sourceOf(issuer, { symmetric: true });
  const found = source.candidates(null, 'HS256');
  await issuer.answer();
  assert.equal((await found).length, 1);
});
