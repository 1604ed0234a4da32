import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeZone } from '../../zone/shared/layout.ts';
import { SharedZone } from '../../zone/shared/shared-zone.ts';
import { Percentile } from './percentile.ts';

function made(percent: number): { time: { now: number }; workers: Percentile[] } {
  const time = { now: 1_000_000 };
  const clock = (): number => time.now;
  const buffer = makeZone(1 << 20);
  const workers = [0, 1].map(
    (id) => new Percentile(new SharedZone(buffer, id, clock).counters('p'), 's', percent, clock),
  );
  return { time, workers };
}

function observe(workers: Percentile[], from: number, to: number): void {
  for (let ms = from; ms <= to; ms++) workers[ms % workers.length]?.observe(ms);
}

for (const [percent, truth] of [
  [50, 500],
  [90, 900],
  [95, 950],
  [99, 990],
  [99.9, 999],
] as const) {
  test(`percentile ${percent} of 1 to 1000 ms, measured by two workers, is at most 15 % too large`, () => {
    const { workers } = made(percent);
    observe(workers, 1, 1000);
    for (const worker of workers) {
      const answer = worker.get() ?? 0;
      assert.ok(answer >= truth && answer <= truth * 1.15 + 1, String(answer));
    }
  });
}

test('nothing is known of too little', () => {
  const { workers } = made(95);
  observe(workers, 1, 49);
  assert.equal(workers[0]?.get(), null);
  observe(workers, 50, 50);
  assert.equal(workers[0]?.get(), null, 'looked at again once in a while');
  assert.notEqual(workers[1]?.get(), null);
});

test('what was measured long ago is forgotten', () => {
  const { workers, time } = made(50);
  observe(workers, 1000, 1999);
  time.now += 10_000;
  observe(workers, 1000, 1999);
  assert.ok((workers[0]?.get() ?? 0) > 1000);
  time.now += 20_000;
  assert.equal(workers[0]?.get(), null);
  for (let n = 0; n < 100; n++) workers[0]?.observe(5);
  time.now += 500;
  assert.ok((workers[0]?.get() ?? 99) <= 6);
});

test('extremes count as the least and the most', () => {
  const { workers } = made(50);
  for (let n = 0; n < 100; n++) workers[0]?.observe(n % 2 === 0 ? 0 : 0.001);
  assert.equal(workers[0]?.get(), 1);
  const far = made(50);
  for (let n = 0; n < 100; n++) far.workers[0]?.observe(1e9);
  assert.equal(far.workers[0]?.get(), 65_536);
});
