/** Threads that count and claim in the shared zone at once, and threads that are ended in the middle of it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { checkZone } from '../../../test/support/shared-zone.ts';
import { NodeSharedZone } from './node-shared-zone.ts';
import { SharedZone } from './shared-zone.ts';

const THREAD = new URL('../../../test/support/shared-zone-worker.ts', import.meta.url);
const KEYS = 5;
const NAMES = 20_000;
/** Of each thread that is not ended. On a busy machine it takes until enough has happened. */
const ENOUGH = 30_000;
const DEATHS = 8;

const cells = (length: number): Int32Array<SharedArrayBuffer> =>
  new Int32Array(new SharedArrayBuffer(length * 4));
const sum = (numbers: Iterable<number>): number => [...numbers].reduce((total, one) => total + one, 0);

test('no increment is lost, nothing is claimed twice, and who dies harms nobody', async () => {
  const node = new NodeSharedZone(4 * 1024 * 1024);
  const [stop, claimed] = [cells(1), cells(NAMES)];
  const failures: unknown[] = [];
  const done: Int32Array[] = [];
  const start = (id: number): { worker: Worker; done: Int32Array } => {
    const own = cells(KEYS);
    done.push(own);
    const workerData = { buffer: node.buffer, id, done: own, claimed, stop, keys: KEYS };
    const worker = new Worker(THREAD, { workerData });
    worker.on('error', (error) => failures.push(error));
    return { worker, done: own };
  };
  const lasting = [start(0), start(1)];
  const turn = (): Promise<void> =>
    new Promise((resolve) => {
      setImmediate(resolve);
    });
  let deaths = 0;
  const enough = (): boolean => deaths >= DEATHS && lasting.every((one) => sum(one.done) > ENOUGH);
  while (!enough() && failures.length === 0) {
    const victim = start(2);
    while (sum(victim.done) < 200 && failures.length === 0) await turn();
    await victim.worker.terminate();
    node.clearWorker(2);
    deaths++;
  }
  const ended = lasting.map(async ({ worker }) => once(worker, 'exit'));
  Atomics.store(stop, 0, 1);
  await Promise.all(ended);
  assert.deepEqual(failures, []);
  checkZone(node.buffer);
  const counters = new SharedZone(node.buffer, 3).counters('test');
  for (let key = 0; key < KEYS; key++) {
    const told = sum(done.map((own) => own[key]!));
    const count = counters.get(`key ${key}`);
    // One that died may have counted without saying so.
    assert.ok(count >= told && count <= told + deaths, `${count} of ${told}`);
  }
  assert.ok(
    claimed.every((times) => times <= 1),
    'claimed twice',
  );
  assert.ok(sum(claimed) > 100);
  assert.equal(node.usage().evicted, 0, 'room for all');
});
