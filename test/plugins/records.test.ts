/** Records of plugins on a real store: two workers' caches on one SQLite database. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
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

test('a token is made complete, found by what is unique, and goes with its credential', async () => {
  await using node = await open();
  const { one, other, credential } = node;
  assert.equal(await other.find('oauth2_tokens', 'access_token', 'tok'), null);
  const made = await one.insert('oauth2_tokens', {
    credential: { id: credential },
    expires_in: 60,
    access_token: 'tok',
    refresh_token: 'again',
    ttl: 60,
  });
  assert.equal(made['token_type'], 'bearer');
  assert.equal(made['ttl'], 60);
  for (const [field, value] of [
    ['id', String(made['id'])],
    ['access_token', 'tok'],
    ['refresh_token', 'again'],
  ] as const) {
    const found = await other.find('oauth2_tokens', field, value);
    assert.equal(found?.['id'], made['id'], field);
    assert.ok(typeof found?.['ttl'] === 'number' && found['ttl'] <= 60);
  }
  const generated = await one.insert('oauth2_tokens', { credential: { id: credential }, expires_in: 0 });
  assert.match(String(generated['access_token']), /^\w{32}$/);
  assert.equal(generated['ttl'], null);
  await node.commit({ op: 'delete', kind: 'oauth2_credentials', select: { id: credential } });
  assert.equal(await other.find('oauth2_tokens', 'access_token', 'tok'), null);
});

test('a token that is deleted is gone for the other worker', async () => {
  await using node = await open();
  const { one, other, credential } = node;
  const made = await one.insert('oauth2_tokens', {
    credential: { id: credential },
    expires_in: 60,
    access_token: 'tok',
  });
  assert.ok(await other.find('oauth2_tokens', 'access_token', 'tok'));
  assert.equal(await one.delete('oauth2_tokens', String(made['id'])), true);
  assert.equal(await one.delete('oauth2_tokens', String(made['id'])), false);
  assert.equal(await other.find('oauth2_tokens', 'access_token', 'tok'), null);
});

test('what is wrong with a token is told without its secrets', async () => {
  await using node = await open();
  const { one, credential } = node;
  const token = { credential: { id: credential }, expires_in: 60, access_token: 'hidden-text' };
  await one.insert('oauth2_tokens', token);
  const cases: ReadonlyArray<readonly [input: Record<string, unknown>, message: RegExp]> = [
    [{ ...token, credential: null }, /credential: required/],
    [{ ...token, expires_in: 'soon' }, /expires_in: expected an integer/],
    [{ ...token, ttl: -1 }, /ttl/],
    [token, /unique/],
    [{ ...token, access_token: 'x', credential: { id: randomUUID() } }, /owner/],
  ];
  for (const [input, message] of cases) {
    await assert.rejects(one.insert('oauth2_tokens', input), (error: Error) => {
      assert.match(error.message, message);
      return !error.message.includes('hidden-text');
    });
  }
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
    () => records.find('oauth2_tokens', 'id', 'x'),
    () => records.insert('oauth2_tokens', {}),
    () => records.delete('oauth2_tokens', 'x'),
    () => records.own.get('x'),
    () => records.own.put('x', {}),
    () => records.own.delete('x'),
  ];
  for (const call of calls) await assert.rejects(call(), /without a database/);
});
