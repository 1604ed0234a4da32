/** Threads that read while the main thread writes, grows and moves; and threads that die in the middle of a look-up. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { KEYS, KINDS, rowOf, STABLE, uuid } from '../../../test/support/directory-keys.ts';
import { DirectoryWriter } from './writer.ts';

const READER = new URL('../../../test/support/directory-reader.ts', import.meta.url);
/** At least. On a busy machine it takes until enough has happened. */
const MILLISECONDS = 3000;
const ENOUGH = 1000;

class Traffic {
  readonly writer = new DirectoryWriter(KINDS);
  readonly intended = new Int32Array(new SharedArrayBuffer(KEYS * 4));
  readonly acknowledged = new Int32Array(new SharedArrayBuffer(KEYS * 4));
  readonly stop = new Int32Array(new SharedArrayBuffer(4));

  /** Says what it is about to do, does it, says that it is done. */
  change(n: number, remove: boolean): void {
    const version = Math.abs(this.intended[n]!);
    const next = remove ? -version : version + 1;
    Atomics.store(this.intended, n, next);
    if (remove) this.writer.remove('keys', uuid(n));
    else this.writer.put('keys', rowOf(n, next));
    Atomics.store(this.acknowledged, n, next);
  }

  changeAny(): void {
    const n = Math.floor(Math.random() * KEYS);
    this.change(n, n >= STABLE && this.intended[n]! > 0 && Math.random() < 0.5);
  }

  /** @param checked gets how many look-ups the reader could check to the letter. */
  reader(checked = new Int32Array(new SharedArrayBuffer(4))): Worker {
    const feed = this.writer.open();
    const { control, port } = feed;
    const { intended, acknowledged, stop } = this;
    const worker = new Worker(READER, {
      workerData: { feed: { control, port }, intended, acknowledged, stop, checked },
      transferList: [port],
    });
    worker.on('exit', () => feed.close());
    return worker;
  }
}

/** All rows that there are, anew, with some of them gone. */
function replaceSome(traffic: Traffic): void {
  const { writer, intended, acknowledged } = traffic;
  const gone = (n: number): boolean => n >= STABLE && n % 7 === 0;
  for (let n = 0; n < KEYS; n++) if (gone(n)) Atomics.store(intended, n, -Math.abs(intended[n]!));
  const kept = Array.from({ length: KEYS }, (_, n) => n).filter((n) => intended[n]! > 0);
  Array.from(writer.replace(kept.map((n) => ({ kind: 'keys', entity: rowOf(n, intended[n]!) }))));
  for (let n = 0; n < KEYS; n++) if (gone(n)) Atomics.store(acknowledged, n, intended[n]!);
}

test('no reader ever sees half a row, an old one, or one whose removal was acknowledged', async () => {
  const traffic = new Traffic();
  for (let n = 0; n < STABLE; n++) traffic.change(n, false);
  const checked = [0, 1].map(() => new Int32Array(new SharedArrayBuffer(4)));
  const readers = checked.map((counter) => traffic.reader(counter));
  const failures: unknown[] = [];
  const results: Array<{ readonly lookups: number; readonly exact: number }> = [];
  for (const reader of readers) {
    reader.on('error', (error) => failures.push(error));
    reader.on('message', (result: { lookups: number; exact: number }) => results.push(result));
  }
  let victim = traffic.reader();
  victim.on('error', (error) => failures.push(error));
  const end = Date.now() + MILLISECONDS;
  let changes = 0;
  const isEnough = (): boolean =>
    Date.now() >= end && changes > ENOUGH && checked.every((counter) => Atomics.load(counter, 0) > ENOUGH);
  for (let round = 0; !isEnough() && failures.length === 0; round++) {
    const sliceEnd = performance.now() + 4;
    for (; performance.now() < sliceEnd; changes++) traffic.changeAny();
    if (round % 50 === 25) replaceSome(traffic);
    if (round % 100 === 99) {
      // It has read at full speed; another one begins with what there is now.
      await victim.terminate();
      victim = traffic.reader();
      victim.on('error', (error) => failures.push(error));
    }
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
  const ended = [...readers, victim].map((reader) => once(reader, 'exit'));
  Atomics.store(traffic.stop, 0, 1);
  await Promise.all(ended);
  assert.deepEqual(failures, []);
  assert.equal(results.length, 2);
  for (const { lookups, exact } of results)
    assert.ok(lookups >= exact && exact > ENOUGH, JSON.stringify(results));
});
