/**
 * What plugins share between workers, in nanoseconds an operation: `node bench/micro/shared-zone.ts`.
 *
 * Keys are those of a rate limit (plugin, route, consumer and window, 60 characters), 1,024 of them in turn. First on one
 * thread; then with another thread that counts on the same keys as fast as it can, and on one key alone, which is the
 * worst that there can be.
 */
import { once } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { NodeSharedZone } from '../../src/zone/shared/node-shared-zone.ts';
import { SharedZone } from '../../src/zone/shared/shared-zone.ts';
import { micro, microTable, type MicroCase } from '../support/micro.ts';

interface Other {
  readonly buffer: SharedArrayBuffer;
  readonly stop: Int32Array;
  readonly mask: number;
}

const KEYS = Array.from({ length: 1024 }, (_, n) =>
  // One flat string, as one that comes out of a header.
  Buffer.from(`0e1f9a3c-77aa-4c1e-8d0e-5b1f0c1d2e3f:consumer-${n + 1000}:1764140400`).toString('latin1'),
);
const MIB = 1024 * 1024;

if (isMainThread) await main();
else countOn(workerData as Other);

async function main(): Promise<void> {
  const { buffer } = new NodeSharedZone(16 * MIB);
  console.log(microTable('one thread', micro(casesOf(buffer), { batches: 15 })));
  for (const [what, mask] of [
    ['another thread on 1,024 keys', 1023],
    ['another thread on the same key', 0],
  ] as const) {
    const stop = new Int32Array(new SharedArrayBuffer(4));
    const other = new Worker(new URL(import.meta.url), {
      workerData: { buffer, stop, mask } satisfies Other,
    });
    await once(other, 'message');
    const counters = new SharedZone(buffer, 0).counters('bench');
    const increment: MicroCase = {
      name: 'increment',
      run: (index) => counters.increment(KEYS[index & mask]!, 1, 60_000),
    };
    console.log(microTable(what, micro([increment], { batches: 15 })));
    Atomics.store(stop, 0, 1);
    await once(other, 'exit');
  }
}

function casesOf(buffer: SharedArrayBuffer): MicroCase[] {
  const zone = new SharedZone(buffer, 0);
  const [counters, values] = [zone.counters('bench'), zone.values('bench')];
  const [short, long] = [Buffer.alloc(24, 1), Buffer.alloc(1024, 2)];
  for (const key of KEYS) values.set(`${key} long`, long);
  const longKeys = KEYS.map((key) => Buffer.from(`${key} long`).toString('latin1'));
  let fresh = 0;
  return [
    { name: 'increment', run: (index) => counters.increment(KEYS[index & 1023]!, 1, 60_000) },
    { name: 'get a counter', run: (index) => counters.get(KEYS[index & 1023]!) },
    { name: 'increment a new key, with others making room', run: () => counters.increment(`key ${fresh++}`) },
    { name: 'set 24 octets', run: (index) => values.set(KEYS[index & 1023]!, short, 60_000) },
    { name: 'get 24 octets', run: (index) => values.get(KEYS[index & 1023]!) },
    { name: 'set 1 KiB', run: (index) => values.set(longKeys[index & 1023]!, long) },
    { name: 'get 1 KiB', run: (index) => values.get(longKeys[index & 1023]!) },
  ];
}

function countOn({ buffer, stop, mask }: Other): void {
  const counters = new SharedZone(buffer, 1).counters('bench');
  parentPort?.postMessage('ready', []);
  for (let n = 0; Atomics.load(stop, 0) === 0; n++) counters.increment(KEYS[n & mask]!, 1, 60_000);
}
