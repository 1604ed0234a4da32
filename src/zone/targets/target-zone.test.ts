import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { NodeTargets } from './node-targets.ts';
import type { TargetLoad } from './target-load.ts';
import { TargetZone } from './target-zone.ts';

function open(workers: number, capacity = 64): { node: NodeTargets; zones: readonly TargetZone[] } {
  const node = new NodeTargets(workers, capacity);
  const zones = Array.from({ length: workers }, (_, id) => new TargetZone(node.buffer, id, node.shape));
  return { node, zones };
}

function totalOf(zone: TargetZone, { shape }: NodeTargets): number {
  let total = 0;
  for (let slot = 0; slot < shape.capacity; slot++) total += zone.inFlight(slot);
  return total;
}

function take(zone: TargetZone | undefined, key: string): TargetLoad {
  const load = zone?.acquire(key);
  assert.ok(load);
  return load;
}

test('workers find the same slot by the same key, and add up', () => {
  const [one, other] = open(2).zones;
  const [a, b, c] = [take(one, 'u a:80'), take(other, 'u a:80'), take(other, 'u b:80')];
  assert.equal(a.slot, b.slot);
  assert.notEqual(a.slot, c.slot);
  a.begin();
  b.begin();
  b.begin();
  assert.equal(one?.inFlight(a.slot), 3);
  b.end();
  assert.equal(one?.inFlight(a.slot), 2);
  assert.equal(other?.inFlight(c.slot), 0);
});

test('a latency that one worker saw is expected by the other', () => {
  const [one, other] = open(2).zones;
  const [a, b] = [take(one, 'a'), take(other, 'a')];
  assert.equal(other?.expected(b.slot, other.now()), 0, 'nobody knows it');
  a.observe(200);
  const expected = other?.expected(b.slot, other.now()) ?? 0;
  assert.ok(expected > 100 && expected <= 200, String(expected));
  const later = other?.expected(b.slot, other.now() + 10_000) ?? 0;
  assert.ok(Math.abs(later - expected / Math.E) < 1, `${later} of ${expected}`);
  a.begin();
  assert.ok((other?.expected(b.slot, other.now()) ?? 0) > expected * 1.9);
});

test('a worker that dies takes what it had in flight along, and nothing of the others', () => {
  const { node, zones } = open(2);
  const [one, other] = zones;
  const [a, b] = [take(one, 'a'), take(other, 'a')];
  for (let n = 0; n < 5; n++) a.begin();
  b.begin();
  node.clearWorker(0);
  assert.equal(other?.inFlight(b.slot), 1);
  b.end();
  assert.equal(other?.inFlight(b.slot), 0);
  const again = new TargetZone(node.buffer, 0, node.shape);
  assert.equal(take(again, 'a').slot, b.slot);
  node.clearWorker(0);
  node.clearWorker(0);
  assert.equal(other?.inFlight(b.slot), 0);
  assert.throws(() => node.clearWorker(2), RangeError);
});

test('a slot is kept as long as a worker serves it or has a request there, and for one that comes back', () => {
  const [one, other] = open(2).zones;
  const [a, b] = [take(one, 'a'), take(other, 'a')];
  const { slot } = a;
  a.observe(100);
  a.release();
  assert.equal(a.slot, 0);
  b.begin();
  b.release();
  assert.equal(b.slot, slot, 'in flight');
  // All slots but that one are taken by others: they do not get it.
  const rest = Array.from({ length: 400 }, (_, n) => one?.acquire(`x${n}`)).filter((load) => load != null);
  assert.equal(rest.length, 62);
  assert.ok(rest.every((load) => load.slot !== slot));
  b.end();
  assert.equal(b.slot, 0);
  const back = take(other, 'a');
  assert.equal(back.slot, slot);
  assert.ok((other?.expected(slot, other.now()) ?? 0) > 50, 'with what was known of it');
});

test("a request that is late does not touch the slot that is another target's by now", () => {
  const [one, other] = open(2, 16).zones;
  const late = take(one, 'late');
  const { slot } = late;
  late.observe(77);
  late.release();
  const taken = Array.from({ length: 400 }, (_, n) => other?.acquire(`x${n}`)).filter((load) => load != null);
  const heir = taken.find((load) => load.slot === slot);
  assert.ok(heir, "it is another's");
  assert.equal(other?.expected(slot, other.now()), 0, 'that begins anew');
  late.begin();
  late.observe(500);
  assert.equal(one?.inFlight(slot), 0);
  late.end();
  assert.equal(other?.expected(slot, other.now()), 0);
});

test('a balancer that follows another has the same handle; it lets go when both have', () => {
  const [zone] = open(1).zones;
  const first = take(zone, 'a');
  assert.equal(take(zone, 'a'), first);
  first.release();
  assert.notEqual(first.slot, 0);
  first.release();
  assert.equal(first.slot, 0);
});

test('who dies with the lock leaves it open', () => {
  const { node, zones } = open(2);
  Atomics.store(new Int32Array(node.buffer, 0, 1), 0, 1);
  node.clearWorker(1);
  assert.equal(Atomics.load(new Int32Array(node.buffer, 0, 1), 0), 1, "another's lock is not touched");
  node.clearWorker(0);
  assert.ok(zones[1]?.acquire('a'));
});

test('a table that is full says so', () => {
  const [zone] = open(1, 16).zones;
  const loads = Array.from({ length: 15 }, (_, n) => take(zone, `k${n}`));
  assert.equal(new Set(loads.map(({ slot }) => slot)).size, 15);
  assert.equal(zone?.acquire('one more'), null);
  loads[7]?.release();
  assert.ok(zone?.acquire('one more'));
});

test('threads that take, count and let go at the same time lose nothing', async () => {
  const node = new NodeTargets(3, 256);
  const module = JSON.stringify(new URL('target-zone.ts', import.meta.url).href);
  const threads = [0, 1, 2].map((id) => {
    const code = `import(${module}).then(({ TargetZone }) => {
      const { buffer, shape } = require('node:worker_threads').workerData;
      const zone = new TargetZone(buffer, ${id}, shape);
      const kept = zone.acquire('kept');
      for (let round = 0; round < 3000; round++) {
        const loads = [0, 1, 2, 3].map((n) => zone.acquire('k' + ((round * 7 + n * ${id + 1}) % 300)));
        for (const load of loads) load?.begin();
        kept.begin();
        for (const load of loads) load?.end();
        for (const load of loads) load?.release();
        if (round % 3 > 0) kept.end();
      }
    });`;
    return new Worker(code, { eval: true, workerData: { buffer: node.buffer, shape: node.shape } });
  });
  await Promise.all(threads.map((thread) => once(thread, 'exit')));
  const zone = new TargetZone(node.buffer, 0, node.shape);
  const kept = take(zone, 'kept');
  assert.equal(zone.inFlight(kept.slot), 3000);
  assert.equal(totalOf(zone, node), 3000);
  for (const id of [0, 1, 2]) node.clearWorker(id);
  assert.equal(totalOf(zone, node), 0);
});

test('threads that are killed in the middle of it leave sums that are right, and the lock open', async () => {
  const node = new NodeTargets(2, 64);
  const own = new TargetZone(node.buffer, 1, node.shape);
  const kept = take(own, 'k1');
  kept.begin();
  const module = JSON.stringify(new URL('target-zone.ts', import.meta.url).href);
  const code = `import(${module}).then(({ TargetZone }) => {
    const { workerData, parentPort } = require('node:worker_threads');
    const zone = new TargetZone(workerData.buffer, 0, workerData.shape);
    for (let round = 0; ; round++) {
      if (round === 1000) parentPort.postMessage('going');
      const loads = [0, 1, 2].map((n) => zone.acquire('k' + ((round + n) % 40)));
      for (const load of loads) load?.begin();
      for (const load of loads) load?.end();
      for (const load of loads) load?.release();
    }
  });`;
  for (let life = 0; life < 12; life++) {
    const thread = new Worker(code, { eval: true, workerData: { buffer: node.buffer, shape: node.shape } });
    await once(thread, 'message');
    await thread.terminate();
    node.clearWorker(0);
    assert.equal(own.inFlight(kept.slot), 1);
    assert.equal(totalOf(own, node), 1);
    take(own, `after ${life}`).release();
  }
});
