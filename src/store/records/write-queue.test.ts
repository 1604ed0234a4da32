/** A queue that is held up: nothing is written meanwhile, and nothing is lost or left without an answer. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { tempDir } from '../../../test/support/temp-dir.ts';
import { Connection } from '../catalog/connection.ts';
import { StoreUnavailable } from '../errors.ts';
import { WriteQueue } from './write-queue.ts';

async function setUp() {
  const folder = await tempDir();
  const connection = new Connection(join(folder.path, 'q.db'), { durable: false, cacheKib: 64 });
  const done: number[] = [];
  const nothing = () => undefined;
  const queue = new WriteQueue(connection, { onEnd: nothing, onCommitted: nothing, onFailed: nothing });
  return {
    queue,
    done,
    write: (n: number) => queue.add(() => done.push(n)),
    async [Symbol.asyncDispose]() {
      queue.close();
      connection.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

test('writes wait until what must not be disturbed is done, also when it fails', async () => {
  await using world = await setUp();
  const { queue, done, write } = world;
  for (const fails of [false, true]) {
    const gate = Promise.withResolvers<string>();
    const held = queue.without(() => gate.promise);
    const before = done.length;
    const writes = [write(1), write(2)];
    for (let n = 0; n < 5; n++) await turn();
    assert.equal(done.length, before);
    await assert.rejects(
      queue.without(() => Promise.resolve()),
      StoreUnavailable,
    );
    if (fails) gate.reject(new Error('no'));
    else gate.resolve('yes');
    if (fails) await assert.rejects(held, /no/);
    else assert.equal(await held, 'yes');
    await Promise.all(writes);
    assert.equal(done.length, before + 2);
  }
});

test('a queue that is closed meanwhile answers those who wait', async () => {
  await using world = await setUp();
  const { queue, done, write } = world;
  const gate = Promise.withResolvers<string>();
  const held = queue.without(() => gate.promise);
  const waiting = assert.rejects(write(1), StoreUnavailable);
  queue.close();
  await waiting;
  await assert.rejects(write(2), StoreUnavailable);
  gate.resolve('late');
  assert.equal(await held, 'late');
  assert.deepEqual(done, []);
});
