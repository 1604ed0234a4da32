/** A thread on the shared zone: counts, claims and replaces until it is told to stop, and says what it has done. */
import { parentPort, workerData } from 'node:worker_threads';
import { SharedZone } from '../../src/zone/shared/shared-zone.ts';

export interface WorkData {
  readonly buffer: SharedArrayBuffer;
  readonly id: number;
  /** Of each key: increments that are done. One cell for each key and thread. */
  readonly done: Int32Array;
  /** Of each name that one thread may have: how many got it. */
  readonly claimed: Int32Array;
  readonly stop: Int32Array;
  readonly keys: number;
}

const { buffer, id, done, claimed, stop, keys } = workerData as WorkData;
const zone = new SharedZone(buffer, id);
const counters = zone.counters('test');
const values = zone.values('test');
let name = 0;

for (let n = id; Atomics.load(stop, 0) === 0; n++) {
  const key = n % keys;
  const count = counters.increment(`key ${key}`);
  done[key]! += 1;
  if (count < done[key]!) throw new Error(`key ${key} counts ${count}, of which ${done[key]} are mine`);
  if (n % 8 === 0 && name < claimed.length && values.add(`name ${name}`, `${id}`))
    Atomics.add(claimed, name, 1);
  if (n % 8 === 1) name++;
  if (n % 16 === 2) values.set(`value ${n % 7}`, Buffer.alloc((n * 37) % 3000, n % 256));
  if (n % 16 === 3) {
    const value = values.get(`value ${n % 7}`);
    if (value?.some((byte) => byte !== value[0]) === true) throw new Error('a value of two');
  }
  if (n % 16 === 4) values.delete(`value ${n % 7}`);
}
parentPort?.postMessage('done', []);
