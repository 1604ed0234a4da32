/** Rotation of sealing keys in a Postgres that two nodes write to. */
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Catalog } from '../../src/store/catalog/catalog.ts';
import { sealedCodec } from '../../src/store/catalog/codec.ts';
import { CatalogStore } from '../../src/store/catalog-store.ts';
import type { Write } from '../../src/store/config-store.ts';
import { Follower } from '../../src/store/follower.ts';
import type { PostgresOptions } from '../../src/store/postgres/options.ts';
import { PostgresRecords } from '../../src/store/postgres/postgres-records.ts';
import type { RecordStore } from '../../src/store/records/records.ts';
import { PostgresLog } from '../../src/store/postgres/postgres-log.ts';
import { loadSealKeys } from '../../src/store/seal-keys.ts';
import { createSealer } from '../../src/store/sealing.ts';
import { SecretKeeper } from '../../src/store/secret-keeper.ts';
import { logOptions, startPostgres } from '../support/postgres.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait.ts';
import { prepare } from './support/log.ts';

const OLD = Buffer.alloc(32, 1).toString('base64');
const NEW = Buffer.alloc(32, 2).toString('base64');
const author = { name: null, source: 'test', message: null };
const idOf = (key: string): string =>
  loadSealKeys({ secret_key_file: null, secret_keys: [key] })[0]?.id ?? '';

interface Node extends AsyncDisposable {
  readonly store: CatalogStore;
  readonly records: RecordStore;
  readonly keeper: SecretKeeper;
}

async function startNode(options: PostgresOptions, folder: string, secret_keys: string[]): Promise<Node> {
  await mkdir(folder, { recursive: true });
  const sealer = createSealer(loadSealKeys({ secret_key_file: null, secret_keys }));
  const codec = sealedCodec(sealer);
  const catalog = new Catalog({ path: join(folder, 'copy.db'), durable: false, codec });
  let log: PostgresLog | null = null;
  const records = new PostgresRecords(sealer);
  const follower = new Follower({
    catalog,
    async connect() {
      log = await PostgresLog.open(options);
      records.attach(log);
      return log;
    },
    retention: 1000,
    log: () => undefined,
  });
  const context = () => ({ flavor: 'traditional_compatible' as const });
  const store = new CatalogStore({ catalog, context, retention: 1000, sequencer: follower });
  await follower.start(store);
  return {
    store,
    records,
    keeper: new SecretKeeper({ catalog, store, records, shared: () => log }),
    async [Symbol.asyncDispose]() {
      records.close();
      await follower.close();
      await store.exclusive(() => Promise.resolve());
      catalog.close();
    },
  };
}

const credential = (key: string): Write => ({
  op: 'create',
  kind: 'keyauth_credentials',
  input: { key, consumer: { username: 'bob' } },
});

test('two nodes rotate while both write; then neither needs the old key', async () => {
  await using postgres = await startPostgres();
  await using folder = await tempDir();
  const options = logOptions(postgres);
  await prepare(options);
  const path = (name: string): string => join(folder.path, name);
  {
    await using first = await startNode(options, path('one'), [OLD]);
    const keys = Array.from({ length: 450 }, (_, n) => credential(`k${n}`));
    const bob: Write = { op: 'create', kind: 'consumers', input: { username: 'bob' } };
    await first.store.commit([bob, ...keys], { author });
    for (let n = 0; n < 120; n++) {
      const record = { key: `r${n}`, value: { n }, unique: { token: `t${n}` } };
      assert.ok((await first.records.put('c', record)).stored);
    }
    await using second = await startNode(options, path('two'), [OLD]);
    assert.equal(second.store.count('keyauth_credentials'), 450);
    await using away = await startNode(options, path('away'), [OLD]);
    assert.equal(away.store.get('keyauth_credentials', { key: 'k449' })?.['key'], 'k449');
  }
  {
    await using one = await startNode(options, path('one'), [NEW, OLD]);
    await using two = await startNode(options, path('two'), [NEW, OLD]);
    const writes = [one, two].flatMap(({ store }, node) =>
      Array.from({ length: 15 }, (_, n) => [
        store.commit([credential(`late-${node}-${n}`)], { author }),
        store.commit(
          [
            {
              op: 'patch',
              kind: 'keyauth_credentials',
              select: { key: `k${node * 100 + n}` },
              input: { tags: ['t'] },
            },
          ],
          { author },
        ),
      ]).flat(),
    );
    const puts = [one, two].flatMap(({ records }, node) =>
      Array.from({ length: 20 }, (_, n) => {
        const key = `r${node * 50 + n}`;
        return records.put('c', { key, value: { n, again: true }, unique: { token: `${key}-again` } });
      }),
    );
    const [rotated] = await Promise.all([one.keeper.rotate(), ...writes, ...puts]);
    assert.equal(rotated.key, idOf(NEW));
    assert.ok((rotated.database?.entities ?? 0) >= 400, JSON.stringify(rotated));
    await waitFor(() => one.store.revision === two.store.revision);
    await two.keeper.rotate();
    await one.keeper.rotate();
    const nothing = { entities: 0, log: 0, records: 0, unreadable: 0 };
    for (const { keeper } of [one, two]) {
      const { node, database } = await keeper.rotate();
      assert.deepEqual([node, database], [nothing, nothing]);
      const status = await keeper.status();
      for (const counts of [status.node, status.database]) {
        assert.deepEqual(counts?.entities, { [idOf(NEW)]: 480 });
        assert.deepEqual(Object.keys(counts?.log ?? {}), [idOf(NEW)]);
      }
      assert.deepEqual([status.node.records, status.database?.records], [{}, { [idOf(NEW)]: 120 }]);
    }
  }
  // It was away all the time, and its copy is sealed by the old key.
  await using away = await startNode(options, path('away'), [NEW]);
  await using one = await startNode(options, path('one'), [NEW]);
  await using three = await startNode(options, path('three'), [NEW]);
  for (const { store } of [one, three, away]) {
    assert.equal(store.get('keyauth_credentials', { key: 'k449' })?.['key'], 'k449');
    assert.equal(store.get('keyauth_credentials', { key: 'late-1-14' })?.['key'], 'late-1-14');
    assert.deepEqual(store.get('keyauth_credentials', { key: 'k3' })?.['tags'], ['t']);
  }
  await assert.rejects(three.store.commit([credential('k7')], { author }), /UNIQUE/);
  for (let n = 0; n < 120; n++) {
    const again = n % 50 < 20 && n < 100;
    const token = again ? `r${n}-again` : `t${n}`;
    assert.equal((await three.records.findBy('c', 'token', token))?.key, `r${n}`, token);
    const taken = await three.records.put('c', { key: 'other', value: {}, unique: { token } });
    assert.deepEqual(taken, { stored: false, conflict: 'unique' });
  }
});
