import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { CELL, NodeZone, WorkerZone } from './worker-zone.ts';

test('a sum is over all stripes and a worker writes only its own', () => {
  const zone = new NodeZone(3);
  new WorkerZone(zone.buffer, 0).increment(CELL.requests);
  new WorkerZone(zone.buffer, 2).add(CELL.requests, 41);
  assert.equal(zone.sum(CELL.requests), 42);
  assert.deepEqual(
    [0, 1, 2].map((id) => zone.stripe(id).get(CELL.requests)),
    [1, 0, 41],
  );
});

test('a dead worker loses its gauges and keeps its counters; the others keep both', () => {
  const zone = new NodeZone(2);
  for (const id of [0, 1]) {
    for (const cell of Object.values(CELL)) zone.stripe(id).set(cell, 7);
  }
  zone.clearGauges(0);
  const counters = ['accepted', 'handled', 'requests', 'broken', 'bytesOut'] as const;
  const gauges = ['active', 'reading', 'writing', 'waiting', 'tunnels', 'upstreamIdle', 'revision'] as const;
  for (const name of counters) assert.equal(zone.sum(CELL[name]), 14, name);
  for (const name of gauges) assert.equal(zone.sum(CELL[name]), 7, name);
});

test('cells do not share a place', () => {
  const places = Object.values(CELL);
  assert.equal(new Set(places).size, places.length);
});

test('counts beyond 32 bits stay exact', () => {
  const zone = WorkerZone.standalone();
  zone.set(CELL.requests, 2 ** 32);
  zone.increment(CELL.requests);
  zone.increment(CELL.active);
  zone.decrement(CELL.active);
  assert.equal(zone.get(CELL.requests), 2 ** 32 + 1);
  assert.equal(zone.get(CELL.active), 0);
});

test('threads that count at the same time lose nothing', async () => {
  const zone = new NodeZone(2);
  const module = JSON.stringify(new URL('worker-zone.ts', import.meta.url).href);
  const threads = [0, 1].map((id) => {
    const code = `import(${module}).then(({ WorkerZone, CELL }) => {
      const zone = new WorkerZone(require('node:worker_threads').workerData, ${id});
      for (let i = 0; i < 100000; i++) zone.increment(CELL.requests);
    });`;
    return new Worker(code, { eval: true, workerData: zone.buffer });
  });
  await Promise.all(threads.map((thread) => once(thread, 'exit')));
  assert.equal(zone.sum(CELL.requests), 200000);
});

test('an unknown worker has no stripe', () => {
  assert.throws(() => new NodeZone(1).stripe(1), RangeError);
});
