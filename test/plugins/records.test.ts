/** Records of plugins on a real store: two workers' caches on one SQLite database. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import type { CollectionInput } from '../../src/plugins/kit/services.ts';
import { StoredRecords } from '../../src/plugins/services/records.ts';
import { CachedRecords } from '../../src/store/records/cached-records.ts';
import type { Write } from '../../src/store/config-store.ts';
import { BY, openNode } from '../store/support/sqlite-records.ts';
import { tempDir } from '../support/temp-dir.ts';

const BOUNDS = { entries: 100, characters: 100_000 };

async function open(): Promise<{
  one: StoredRecords;
  other: StoredRecords;
  stranger: StoredRecords;
  credential: string;
  commit(write: Write): Promise<unknown>;
  [Symbol.asyncDispose](): Promise<void>;
}> {
  const folder = await tempDir();
  const node = openNode(folder.path);
  const [consumer, credential] = [randomUUID(), randomUUID()];
  await node.store.commit(
    [
      { op: 'create', kind: 'consumers', input: { id: consumer, username: 'anna' } },
      {
        op: 'create',
        kind: 'oauth2_credentials',
        input: {
          id: credential,
          name: 'app',
          consumer: { id: consumer },
          redirect_uris: ['https://a.test/'],
        },
      },
    ],
    BY,
  );
  const access = (plugin: string): StoredRecords =>
    new StoredRecords({ reader: new CachedRecords(node.records, BOUNDS), writer: node.records }, plugin);
  return {
    one: access('oauth2'),
    other: access('oauth2'),
    stranger: access('session'),
    credential,
    commit: (write) => node.store.commit([write], BY),
    async [Symbol.asyncDispose]() {
      node[Symbol.dispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

const token = (credential: string): CollectionInput => ({
  key: 't-1',
  value: { scope: 'all' },
  unique: { access_token: 'tok' },
  owners: [{ kind: 'oauth2_credentials', id: credential }],
});

test('a record of a collection is found by what is unique, and goes with its owner', async () => {
  await using node = await open();
  const { one, other, credential } = node;
  assert.equal(await other.collections.findBy('oauth2_tokens', 'access_token', 'tok'), null);
  assert.equal(await one.collections.put('oauth2_tokens', token(credential), { ttlMs: 60_000 }), true);
  const found = await other.collections.findBy('oauth2_tokens', 'access_token', 'tok');
  assert.deepEqual([found?.key, found?.value], ['t-1', { scope: 'all' }]);
  assert.ok(typeof found?.ttlMs === 'number' && found.ttlMs <= 60_000);
  await node.commit({ op: 'delete', kind: 'oauth2_credentials', select: { id: credential } });
  assert.equal(await other.collections.findBy('oauth2_tokens', 'access_token', 'tok'), null);
});

test('a record that is deleted is gone for the other worker', async () => {
  await using node = await open();
  const { one, other, credential } = node;
  await one.collections.put('oauth2_tokens', token(credential));
  assert.notEqual(await other.collections.get('oauth2_tokens', 't-1'), null);
  assert.equal(await one.collections.delete('oauth2_tokens', 't-1'), true);
  assert.equal(await one.collections.delete('oauth2_tokens', 't-1'), false);
  assert.equal(await other.collections.get('oauth2_tokens', 't-1'), null);
});

test("a plugin's own records are its own, and change by version", async () => {
  await using node = await open();
  const { one, other, stranger } = node;
  assert.equal(await one.own.get('a'), null);
  assert.equal(await one.own.put('a', { n: 1 }, { ifVersion: 0, ttlMs: 60_000 }), true);
  assert.equal(await other.own.put('a', { n: 2 }, { ifVersion: 0 }), false);
  const found = await other.own.get('a');
  assert.deepEqual(found?.value, { n: 1 });
  assert.ok(found.ttlMs !== null && found.ttlMs <= 60_000);
  assert.equal(await other.own.put('a', { n: 2 }, { ifVersion: found.version }), true);
  assert.deepEqual((await one.own.get('a'))?.value, { n: 2 });
  assert.equal(await stranger.own.get('a'), null);
  assert.equal(await stranger.own.delete('a'), false);
  assert.equal(await one.own.delete('a'), true);
  assert.equal(await other.own.get('a'), null);
});

test('without a database every call rejects', async () => {
  const records = new StoredRecords(null, 'oauth2');
  assert.equal(records.available, false);
  const calls = [
    async () => await records.collections.get('oauth2_tokens', 'x'),
    async () => await records.collections.put('oauth2_tokens', { key: 'x', value: {} }),
    () => records.own.get('x'),
    () => records.own.put('x', {}),
    () => records.own.delete('x'),
  ];
  for (const call of calls) await assert.rejects(call(), /without a database/);
});
