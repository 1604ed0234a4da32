import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import { tempDir } from '../../test/support/temp-dir.ts';
import { DIRECTORY_KINDS, type DirectoryEntities } from '../entities/directory-kinds.ts';
import { PLUGIN_ROWS } from '../entities/plugin-rows.ts';
import type { Values } from '../entities/schema/field.ts';
import { encodeImage } from '../snapshot/image-encode.ts';
import { Catalog } from '../store/catalog/catalog.ts';
import { CatalogStore } from '../store/catalog-store.ts';
import type { CommitOptions, Write } from '../store/config-store.ts';
import { Directory } from '../zone/directory/directory.ts';
import { DirectoryFull } from '../zone/directory/memory.ts';
import { DirectoryWriter } from '../zone/directory/writer.ts';
import { DirectoryKeeper } from './directory-keeper.ts';

const BY: CommitOptions = { author: { name: null, source: 'test', message: null } };
const META = { revision: 1, hash: '0'.repeat(32) };

function parts(limit?: number): {
  writer: DirectoryWriter;
  keeper: DirectoryKeeper;
  directory: Directory<DirectoryEntities>;
} {
  const writer = new DirectoryWriter(DIRECTORY_KINDS, limit);
  const directory = new Directory<DirectoryEntities>(DIRECTORY_KINDS, writer.open());
  return { writer, keeper: new DirectoryKeeper(writer), directory };
}

interface Opened extends AsyncDisposable {
  readonly store: CatalogStore;
  create(kind: string, input: Values): Promise<Values>;
  write(write: Write): Promise<void>;
}

async function openStore(retention = 1000): Promise<Opened> {
  const folder = await tempDir();
  const catalog = new Catalog({ path: join(folder.path, 'store.db'), durable: false });
  const context = (): { flavor: 'traditional_compatible' } => ({ flavor: 'traditional_compatible' });
  const store = new CatalogStore({ catalog, context, retention });
  return {
    store,
    async create(kind, input) {
      const { results } = await store.commit([{ op: 'create', kind, input }], BY);
      return results[0]?.entity ?? {};
    },
    async write(write) {
      await store.commit([write], BY);
    },
    async [Symbol.asyncDispose]() {
      catalog.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** One of every kind, as a client says it. */
function credentials(consumer: { readonly id: string }): ReadonlyArray<readonly [string, Values]> {
  return [
    ['keyauth_credentials', { consumer, key: 'open sesame', tags: ['a', 'b'] }],
    ['keyauth_credentials', { consumer, ttl: 3600 }],
    ['basicauth_credentials', { consumer, username: 'ünï', password: 'p' }],
    ['hmacauth_credentials', { consumer, username: 'h' }],
    ['jwt_secrets', { consumer, key: 'issuer' }],
    ['mtls_auth_credentials', { consumer, subject_name: 'a.test' }],
    ['oauth2_credentials', { consumer, name: 'app', redirect_uris: ['https://example.com/cb'] }],
    ['acls', { consumer, group: 'g1' }],
    ['acls', { consumer, group: 'g2' }],
  ];
}

test('what a store holds is found, in the shape that the store gives it', async () => {
  await using opened = await openStore();
  const { store } = opened;
  const { directory, keeper, writer } = parts();
  const consumer = await opened.create('consumers', { username: 'anna', custom_id: 'c-1', tags: [] });
  const reference = { id: String(consumer['id']) };
  for (const [kind, input] of credentials(reference)) await opened.create(kind, input);
  const { id: groupId } = await opened.create('consumer_groups', { name: 'gold' });
  const group = { id: String(groupId) };
  await opened.create('consumer_group_consumers', { consumer: reference, consumer_group: group });
  await keeper.follow(store.reader);
  assert.deepEqual(directory.find('consumers', 'custom_id', 'c-1'), consumer);
  // Those of plugins have tests of their own.
  for (const { name } of DIRECTORY_KINDS.filter((kind) => kind.name !== PLUGIN_ROWS)) {
    const all = [...store.all(name)];
    assert.ok(all.length > 0, name);
    for (const entity of all) {
      assert.deepEqual(directory.get(name as 'acls', String(entity['id'])), entity);
    }
    if (name !== 'consumers' && name !== 'consumer_groups')
      assert.deepEqual(directory.owned(name as 'acls', reference.id), all);
    assert.equal(writer.size.kinds[name]?.rows, all.length);
  }
  assert.equal(directory.find('jwt_secrets', 'key', 'issuer')?.consumer.id, reference.id);
  const [membership] = directory.owned('consumer_group_consumers', reference.id);
  assert.equal(directory.get('consumer_groups', String(membership?.consumer_group.id))?.name, 'gold');
});

test('commits are followed: created, changed, removed with all that belongs to it', async () => {
  await using opened = await openStore();
  const { store } = opened;
  const { directory, keeper } = parts();
  await keeper.follow(store.reader);
  const { id } = (await opened.create('consumers', { username: 'anna' })) as { id: string };
  await opened.create('keyauth_credentials', { consumer: { id }, key: 'one' });
  await keeper.follow(store.reader);
  assert.equal(directory.find('keyauth_credentials', 'key', 'one')?.consumer.id, id);
  await opened.write({
    op: 'patch',
    kind: 'keyauth_credentials',
    select: { key: 'one' },
    input: { key: 'two' },
  });
  await keeper.follow(store.reader);
  assert.equal(directory.find('keyauth_credentials', 'key', 'one'), null);
  assert.equal(directory.find('keyauth_credentials', 'key', 'two')?.consumer.id, id);
  await opened.write({ op: 'delete', kind: 'consumers', select: { key: 'anna' } });
  await keeper.follow(store.reader);
  assert.equal(directory.find('keyauth_credentials', 'key', 'two'), null);
  assert.equal(directory.get('consumers', id), null);
});

test('a log that does not reach back is no obstacle', async () => {
  await using opened = await openStore(1);
  const { store } = opened;
  const { directory, keeper, writer } = parts();
  await opened.create('consumers', { username: 'gone' });
  await opened.create('consumers', { username: 'stays' });
  await keeper.follow(store.reader);
  await opened.write({ op: 'delete', kind: 'consumers', select: { key: 'gone' } });
  for (let n = 0; n < 500; n++) await opened.create('consumers', { username: `user ${n}` });
  await keeper.follow(store.reader);
  assert.equal(writer.size.rows, 501);
  assert.equal(directory.find('consumers', 'username', 'gone'), null);
  assert.equal(directory.find('consumers', 'username', 'user 499')?.custom_id, null);
});

const consumer = (username: string): Values => ({
  id: randomUUID(),
  username,
  custom_id: null,
  tags: null,
  created_at: 1_700_000_000,
  updated_at: 1_700_000_000,
});

test('a declarative configuration replaces the one before; its times to live begin with the creation', async () => {
  const { directory, keeper, writer } = parts();
  const [anna, bert] = [consumer('anna'), consumer('bert')];
  const now = Math.floor(Date.now() / 1000);
  const key = (text: string, created: number, ttl: number | null): Values => ({
    id: randomUUID(),
    created_at: created,
    consumer: { id: anna['id'] },
    tags: null,
    key: text,
    ttl,
  });
  const keys = [key('fresh', now, 100), key('over', now - 200, 100), key('for ever', now - 200, null)];
  const first = encodeImage(
    new Map([
      ['consumers', [anna, bert]],
      ['keyauth_credentials', keys],
    ]),
    META,
  );
  await keeper.fromImage(first, null);
  assert.deepEqual(directory.find('consumers', 'username', 'anna'), anna);
  assert.ok((directory.find('keyauth_credentials', 'key', 'fresh')?.ttl ?? 0) > 90);
  assert.equal(directory.find('keyauth_credentials', 'key', 'over'), null);
  assert.deepEqual(directory.find('keyauth_credentials', 'key', 'for ever'), keys[2]);
  await keeper.fromImage(encodeImage(new Map([['consumers', [bert]]]), META), first);
  assert.equal(directory.find('consumers', 'username', 'anna'), null);
  assert.equal(directory.find('keyauth_credentials', 'key', 'for ever'), null);
  assert.equal(writer.size.rows, 1);
});

test('a configuration that has no room leaves what there was', async () => {
  const { directory, keeper, writer } = parts(1 << 20);
  const anna = consumer('anna');
  const first = encodeImage(new Map([['consumers', [anna]]]), META);
  await keeper.fromImage(first, null);
  const many = Array.from({ length: 20_000 }, (_, n) => consumer(`user ${n}`));
  await assert.rejects(
    keeper.fromImage(encodeImage(new Map([['consumers', many]]), META), first),
    DirectoryFull,
  );
  assert.equal(writer.size.rows, 1);
  assert.deepEqual(directory.find('consumers', 'username', 'anna'), anna);
});
