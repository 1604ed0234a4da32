import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Renewed } from './renewed.ts';

const TTL_MS = 60_000;
/** Longer than what is kept of a failure before it is asked again. */
const PAUSE_MS = 5001;
const HOUR_MS = 3_600_000;

const failing = (): Promise<never> => Promise.reject(new Error('away'));

function slow(): {
  readonly ask: () => Promise<{ value: string; until: number }>;
  come(until: number): void;
} {
  const { promise, resolve } = Promise.withResolvers<{ value: string; until: number }>();
  return { ask: () => promise, come: (until) => resolve({ value: 'new', until }) };
}

test('where an answer failed a moment ago, nobody waits while it is asked again', async (t) => {
  t.mock.timers.enable({ apis: ['Date'] });
  const renewed = new Renewed<string>(10, TTL_MS);
  assert.deepEqual(await renewed.get('a', failing), { unsure: 'away' });
  t.mock.timers.tick(PAUSE_MS);
  const again = slow();
  for (let times = 0; times < 2; times++) {
    assert.deepEqual(renewed.get('a', again.ask), { unsure: 'away' }, 'no promise');
  }
  again.come(Date.now() + HOUR_MS);
  await new Promise(setImmediate);
  assert.equal(renewed.get('a', failing), 'new');
});

test('a failure of long ago says nothing: who asks then waits', async (t) => {
  t.mock.timers.enable({ apis: ['Date'] });
  const renewed = new Renewed<string>(10, TTL_MS);
  await renewed.get('a', failing);
  t.mock.timers.tick(HOUR_MS);
  const again = slow();
  const asked = renewed.get('a', again.ask);
  assert.ok(asked instanceof Promise);
  again.come(Date.now() + HOUR_MS);
  assert.equal(await asked, 'new');
});

test('a value that could not be renewed is good to its end without waiting', async (t) => {
  t.mock.timers.enable({ apis: ['Date'] });
  const renewed = new Renewed<string>(10, TTL_MS);
  const until = Date.now() + HOUR_MS;
  await renewed.get('a', () => Promise.resolve({ value: 'old', until }));
  t.mock.timers.tick(TTL_MS + 1);
  assert.equal(await renewed.get('a', failing), 'old');
  t.mock.timers.tick(PAUSE_MS);
  const again = slow();
  assert.equal(renewed.get('a', again.ask), 'old', 'no promise');
  again.come(until);
  await new Promise(setImmediate);
  assert.equal(renewed.get('a', failing), 'new');
  t.mock.timers.tick(HOUR_MS);
  assert.deepEqual(await renewed.get('a', failing), { unsure: 'away' });
});
