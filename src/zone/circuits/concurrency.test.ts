/** Threads that take places, wait and tell outcomes of one circuit at once, and threads that are ended in the middle of it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { CircuitZone } from './circuit-zone.ts';
import { NodeCircuits } from './node-circuits.ts';

const PLACES = 3;
const THREADS = 3;
/** Each takes so many of them at most at a time: together more than there are. */
const EACH = 2;

/** Takes and gives back; `most` is what it has ever seen; `free` counts refusals while there was room for all. */
const CODE = `
const { workerData, parentPort } = require('node:worker_threads');
const { buffer, shape, id, zone: zoneUrl, breaker: breakerUrl, stop } = workerData;
Promise.all([import(zoneUrl), import(breakerUrl)]).then(([{ CircuitZone }, { Breaker, REFUSED }]) => {
  const zone = new CircuitZone(buffer, id, shape);
  const circuit = zone.acquire('places', 'places', null);
  const other = zone.acquire('breaker', 'breaker', null);
  const rules = { windowMs: 1000, minimum: 1, errorPercent: 0, streak: 2, openMs: 10, backoff: 1, maxOpenMs: 10, probes: 1, successes: 1 };
  const changes = [0, 0, 0, 0];
  const breaker = new Breaker(rules, { permits: () => true, changed: (_, to) => changes[to]++ });
  let most = 0, taken = 0, probes = 0;
  for (let round = 0; Atomics.load(stop, 0) === 0 || taken < 100; round++) {
    if (round === 500) parentPort.postMessage('going');
    let own = 0;
    while (own < ${EACH} && circuit.take(${PLACES})) own++;
    taken += own;
    // What is counted is never more than there is.
    most = Math.max(most, circuit.inFlight);
    const token = breaker.admit(other, zone.now());
    if (token !== REFUSED) {
      most = Math.max(most, other.inFlight > 1 ? 1000 : 0);
      breaker.tell(other, token, round % 3 === 0, zone.now());
    }
    for (; own > 0; own--) circuit.leave();
  }
  parentPort.postMessage({ most, taken, changes });
});`;

interface Told {
  readonly most: number;
  readonly taken: number;
  readonly changes: readonly number[];
}

function start(node: NodeCircuits, id: number, stop: Int32Array): Worker {
  const zone = new URL('circuit-zone.ts', import.meta.url).href;
  const breaker = new URL('breaker.ts', import.meta.url).href;
  const { buffer, shape } = node;
  return new Worker(CODE, { eval: true, workerData: { buffer, shape, id, zone, breaker, stop } });
}

test('no place is given twice, each change is made by one, and who dies leaves nothing behind', async () => {
  const node = new NodeCircuits(THREADS + 1, 64);
  const own = new CircuitZone(node.buffer, THREADS, node.shape);
  const [places, other] = [own.acquire('places', 'places', null), own.acquire('breaker', 'breaker', null)];
  assert.ok(places && other);
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const lasting = [0, 1].map((id) => start(node, id, stop));
  const results: Told[] = [];
  for (const worker of lasting) {
    worker.on('message', (message: Told | 'going') => {
      if (message !== 'going') results.push(message);
    });
  }
  for (let life = 0; life < 8; life++) {
    const victim = start(node, 2, stop);
    await once(victim, 'message');
    await victim.terminate();
    node.clearWorker(2);
  }
  Atomics.store(stop, 0, 1);
  await Promise.all(lasting.map((worker) => once(worker, 'exit')));
  assert.equal(results.length, 2);
  for (const { most, taken } of results) {
    assert.ok(most <= PLACES, `${most} places of ${PLACES}`);
    assert.ok(taken >= 100);
  }
  assert.deepEqual([places.inFlight, other.inFlight], [0, 0]);
  // What was opened was tried again, by whomever: with what the dead ones did, the books cannot be closed exactly.
  const opened = results.reduce((sum, { changes }) => sum + changes[1]!, 0);
  assert.ok(opened > 0);
});

test('of as many threads as there are places each gets one, always', async () => {
  const node = new NodeCircuits(2, 64);
  const code = `
const { workerData, parentPort } = require('node:worker_threads');
const { buffer, shape, id, zone: zoneUrl } = workerData;
import(zoneUrl).then(({ CircuitZone }) => {
  const circuit = new CircuitZone(buffer, id, shape).acquire('k', 'k', null);
  let refused = 0;
  for (let round = 0; round < 100000; round++) {
    if (circuit.take(2)) circuit.leave();
    else refused++;
  }
  parentPort.postMessage(refused);
});`;
  const zone = new URL('circuit-zone.ts', import.meta.url).href;
  const { buffer, shape } = node;
  const threads = [0, 1].map(
    (id) => new Worker(code, { eval: true, workerData: { buffer, shape, id, zone } }),
  );
  const refused = await Promise.all(
    threads.map(async (thread) => (await once(thread, 'message'))[0] as number),
  );
  assert.deepEqual(refused, [0, 0]);
});
