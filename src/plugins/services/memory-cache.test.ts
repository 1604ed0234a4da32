import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryCache } from './memory-cache.ts';

function open(max = 3, ttlMs = 100): { cache: MemoryCache<string>; pass: (ms: number) => void } {
  let now = 0;
  const cache = new MemoryCache<string>({ max, ttlMs }, () => now);
  return { cache, pass: (ms) => void (now += ms) };
}

test('it is bounded, and what was used last stays', () => {
  const { cache } = open();
  for (const key of ['a', 'b', 'c']) cache.set(key, key);
  assert.equal(cache.get('a'), 'a');
  cache.set('d', 'd');
  assert.equal(cache.size, 3);
  assert.deepEqual(
    ['a', 'b', 'c', 'd'].map((key) => cache.get(key)),
    ['a', undefined, 'c', 'd'],
  );
});

test('values have an end: of the cache, or one of their own', () => {
  const { cache, pass } = open();
  cache.set('a', '1');
  cache.set('b', '2', 1000);
  pass(99);
  assert.equal(cache.get('a'), '1');
  pass(1);
  assert.equal(cache.get('a'), undefined);
  assert.equal(cache.get('b'), '2');
  pass(900);
  assert.equal(cache.get('b'), undefined);
  assert.equal(cache.size, 0);
});

test('all who ask meanwhile wait for one load; then the value is there at once', async () => {
  const { cache } = open();
  const { promise, resolve } = Promise.withResolvers<string>();
  let loads = 0;
  const load = (): Promise<string> => (loads++, promise);
  const asked = [cache.load('a', load), cache.load('a', load)].map((one) => Promise.resolve(one));
  resolve('x');
  assert.deepEqual(await Promise.all(asked), ['x', 'x']);
  assert.equal(cache.load('a', load), 'x');
  assert.equal(loads, 1);
});

test('what fails is told to all who wait, and is not kept', async () => {
  const { cache } = open();
  const fail = (): Promise<string> => Promise.reject(new Error('no'));
  const asked = [cache.load('a', fail), cache.load('a', fail)];
  for (const one of asked) await assert.rejects(async () => one, /no/);
  const throwing = (): Promise<string> => {
    throw new Error('at once');
  };
  await assert.rejects(async () => cache.load('a', throwing), /at once/);
  assert.equal(await cache.load('a', () => Promise.resolve('ok')), 'ok');
});

for (const [what, change] of [
  ['delete', (cache: MemoryCache<string>) => cache.delete('a')],
  ['clear', (cache: MemoryCache<string>) => cache.clear()],
] as const) {
  test(`a value that was being loaded at a ${what} is not kept`, async () => {
    const { cache } = open();
    const { promise, resolve } = Promise.withResolvers<string>();
    const before = cache.load('a', () => promise);
    change(cache);
    const after = cache.load('a', () => Promise.resolve('new'));
    resolve('old');
    assert.deepEqual(await Promise.all([before, after]), ['old', 'new']);
    assert.equal(cache.get('a'), 'new');
  });
}

test('a value that is set while another is being loaded stays', async () => {
  const { cache } = open();
  const { promise, resolve } = Promise.withResolvers<string>();
  const before = cache.load('a', () => promise);
  cache.set('a', 'set');
  resolve('loaded');
  assert.equal(await before, 'loaded');
  assert.equal(cache.get('a'), 'set');
});

test('bounds that are none are refused', () => {
  assert.throws(() => new MemoryCache({ max: 0 }), RangeError);
  assert.throws(() => new MemoryCache({ ttlMs: Number.NaN }), RangeError);
});
