import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LineQueue } from './line-queue.ts';

test('jobs run in order and never two at a time', async () => {
  const queue = new LineQueue(10);
  const events: string[] = [];
  const job = (name: string) => async (): Promise<string> => {
    events.push(`${name} starts`);
    await new Promise(setImmediate);
    events.push(`${name} ends`);
    return name;
  };
  const full = (): string => 'full';
  assert.deepEqual(await Promise.all([queue.run(job('a'), full), queue.run(job('b'), full)]), ['a', 'b']);
  assert.deepEqual(events, ['a starts', 'a ends', 'b starts', 'b ends']);
});

test('one job too many is turned away at once; there is room again afterwards', async () => {
  const queue = new LineQueue(1);
  const { promise, resolve } = Promise.withResolvers<string>();
  const full = (): string => 'full';
  const first = queue.run(() => promise, full);
  const second = queue.run(() => Promise.resolve('second'), full);
  assert.equal(await queue.run(() => Promise.resolve('third'), full), 'full');
  resolve('first');
  assert.deepEqual(await Promise.all([first, second]), ['first', 'second']);
  assert.equal(await queue.run(() => Promise.resolve('later'), full), 'later');
});

test('a job that fails fails alone', async () => {
  const queue = new LineQueue(1);
  const full = (): string => 'full';
  await assert.rejects(
    queue.run(() => Promise.reject(new Error('broken')), full),
    /broken/,
  );
  assert.equal(await queue.run(() => Promise.resolve('next'), full), 'next');
});
