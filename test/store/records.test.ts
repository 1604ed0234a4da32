/** Records on SQLite: the contract, and what only two files can get wrong. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import type { Write } from '../../src/store/config-store.ts';
import type { SqliteRecords } from '../../src/store/records/sqlite-records.ts';
import { tempDir } from '../support/temp-dir.ts';
import { HOUR, recordsContract } from './support/records-contract.ts';
import { recordsProperty } from './support/records-model.ts';
import { BY, openNode, openSqliteRecords } from './support/sqlite-records.ts';

const RUNS = Number(process.env['RECORDS_RUNS'] ?? 60);

recordsContract('SQLite', openSqliteRecords);
recordsProperty('SQLite', openSqliteRecords, RUNS);

const consumer = (id: string): Write => ({ op: 'create', kind: 'consumers', input: { id, username: id } });
const without = (id: string): Write => ({ op: 'delete', kind: 'consumers', select: { id } });

async function ownedBy(records: SqliteRecords, id: string): Promise<number> {
  const { records: found } = await records.list('c', { size: 1000, owner: { kind: 'consumers', id } });
  return found.length;
}

test('a deletion takes along what entities own that went with it', async () => {
  await using folder = await tempDir();
  using node = openNode(folder.path);
  const [id, credential] = [randomUUID(), randomUUID()];
  const input = { id: credential, key: 'secret', consumer: { id } };
  await node.store.commit([consumer(id), { op: 'create', kind: 'keyauth_credentials', input }], BY);
  const owners = [{ kind: 'keyauth_credentials', id: credential }];
  // More than one step of the cascade.
  await Promise.all(
    Array.from({ length: 700 }, (_, n) => node.records.put('c', { key: `k${n}`, value: {}, owners })),
  );
  await node.records.put('c', { key: 'free', value: {} });
  await node.store.commit([without(id)], BY);
  assert.deepEqual(
    (await node.records.list('c', { size: 10 })).records.map(({ key }) => key),
    ['free'],
  );
});

test('deletions that the records did not follow any more are followed at the next start', async () => {
  await using folder = await tempDir();
  const [gone, stays, back] = [randomUUID(), randomUUID(), randomUUID()];
  {
    using node = openNode(folder.path);
    await node.store.commit([consumer(gone), consumer(stays), consumer(back)], BY);
    for (const id of [gone, stays, back]) {
      await node.records.put('c', { key: id, value: {}, owners: [{ kind: 'consumers', id }] });
    }
    // As a crash between the two files' transactions leaves it.
    node.records.close();
    await node.store.commit([without(gone), without(back)], BY);
    assert.ok(node.errors.length > 0);
    await node.store.restore(1, BY);
    await node.store.commit([without(gone)], BY);
  }
  using node = openNode(folder.path);
  await node.cascade.followed(node.store.revision);
  assert.deepEqual([await ownedBy(node.records, gone), await ownedBy(node.records, stays)], [0, 1]);
  assert.equal(await ownedBy(node.records, back), 1);
});

test('a log that does not reach back, or another one, makes every owner be looked up', async () => {
  await using folder = await tempDir();
  await using elsewhere = await tempDir();
  const [gone, stays] = [randomUUID(), randomUUID()];
  {
    using node = openNode(folder.path);
    await node.store.commit([consumer(gone), consumer(stays)], BY);
    for (const id of [gone, stays]) {
      await node.records.put('c', { key: id, value: {}, owners: [{ kind: 'consumers', id }] });
    }
    node.records.close();
    await node.store.commit([without(gone)], BY);
  }
  {
    using node = openNode(folder.path, 1);
    node.records.close();
    for (let n = 0; n < 5; n++) await node.store.commit([consumer(randomUUID())], BY);
    assert.ok(node.store.oldest > 2);
  }
  {
    using node = openNode(folder.path);
    await node.cascade.followed(node.store.revision);
    assert.deepEqual([await ownedBy(node.records, gone), await ownedBy(node.records, stays)], [0, 1]);
  }
  // Another configuration beside these records.
  await copyFile(join(folder.path, 'records.db'), join(elsewhere.path, 'records.db'));
  using other = openNode(elsewhere.path);
  for (let n = 0; n < 9; n++) await other.store.commit([consumer(randomUUID())], BY);
  assert.equal(await ownedBy(other.records, stays), 0);
});

test('writes that the disk refuses are told so, and the next ones happen', async () => {
  for (const raise of ['ABORT', 'ROLLBACK']) {
    await using folder = await tempDir();
    using node = openNode(folder.path);
    using database = new DatabaseSync(join(folder.path, 'records.db'));
    database.exec(
      `CREATE TRIGGER failing BEFORE INSERT ON uniques BEGIN SELECT RAISE(${raise}, 'no space'); END`,
    );
    const heard: unknown[] = [];
    node.records.watch({ changed: (marks) => void heard.push(marks) });
    const put = (): Promise<unknown> => node.records.put('c', { key: 'k', value: {}, unique: { i: 'x' } });
    const results = await Promise.allSettled([
      put(),
      node.records.increment('c', [{ key: 'n', amount: 1, ttlMs: 9 }]),
    ]);
    for (const result of results)
      assert.match(result.status === 'rejected' ? String(result.reason) : '', /no space/);
    assert.deepEqual(
      [heard, await node.records.get('c', 'k'), await node.records.counts('c', ['n'])],
      [[], null, [0]],
    );
    database.exec('DROP TRIGGER failing');
    await put();
    assert.equal(heard.length, 1);
  }
});

test('what is over is removed from the file, along with other writes', async () => {
  await using opened = await openSqliteRecords();
  const { store } = opened;
  const owner = await opened.makeOwner();
  for (let n = 0; n < 20; n++) {
    await store.put(
      'c',
      { key: `k${n}`, value: {}, unique: { i: `${n}` }, owners: [owner] },
      { ttlMs: HOUR },
    );
    await store.increment('c', [{ key: `n${n}`, amount: 1, ttlMs: HOUR }]);
  }
  await opened.pass(HOUR);
  for (let n = 0; n < 3; n++) await store.delete('c', 'none');
  assert.deepEqual(opened.rows(), { records: 0, uniques: 0, owners: 0, counters: 0 });
});
