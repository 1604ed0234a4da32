/** A catalog as the store on a disk that refuses. What any store must do: test/store/support/store-contract.ts. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { tempDir } from '../../test/support/temp-dir.ts';
import { Catalog } from './catalog/catalog.ts';
import { CatalogStore, type Sequencer } from './catalog-store.ts';
import type { CommitOptions, Write } from './config-store.ts';
import type { Values } from '../entities/schema/field.ts';

const BY: CommitOptions = { author: { name: 'tester', source: '127.0.0.1', message: 'why' } };

interface Opened extends AsyncDisposable {
  readonly store: CatalogStore;
  readonly path: string;
}

async function open({
  retention = 1000,
  sequencer = null,
}: { readonly retention?: number; readonly sequencer?: Sequencer | null } = {}): Promise<Opened> {
  const folder = await tempDir();
  const path = join(folder.path, 'store.db');
  const catalog = new Catalog({ path, durable: true });
  const store = new CatalogStore({
    catalog,
    context: () => ({ flavor: 'traditional_compatible' }),
    retention,
    sequencer,
  });
  return {
    store,
    path,
    async [Symbol.asyncDispose]() {
      catalog.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

async function one(store: CatalogStore, write: Write): Promise<Values> {
  const { results } = await store.commit([write], BY);
  return results[0]?.entity ?? {};
}

const service = (name: string, more: Values = {}): Write => ({
  op: 'create',
  kind: 'services',
  input: { name, host: `${name}.test`, ...more },
});

/** SQLite fails at a statement, as it does on a full disk: in the one way it rolls back by itself, in the other not. */
function failing(path: string, event: string, raise: 'ABORT' | 'ROLLBACK'): Disposable {
  using database = new DatabaseSync(path);
  database.exec(`CREATE TRIGGER failing BEFORE ${event} BEGIN SELECT RAISE(${raise}, 'no space'); END`);
  return {
    [Symbol.dispose]() {
      using again = new DatabaseSync(path);
      again.exec('DROP TRIGGER failing');
    },
  };
}

test('a commit counts though the log cannot be compacted after it, and the next one happens', async () => {
  for (const raise of ['ABORT', 'ROLLBACK'] as const) {
    await using opened = await open({ retention: 1 });
    const { store, path } = opened;
    {
      using _failing = failing(path, 'DELETE ON commits', raise);
      for (const name of ['a', 'b', 'c']) await one(store, service(name));
      assert.deepEqual([store.revision, store.oldest, store.count('services')], [3, 0, 3]);
    }
    await one(store, service('d'));
    assert.deepEqual([store.revision, store.oldest], [4, 3]);
  }
});

test('a write that the disk refuses is told with its reason, and the next one happens', async () => {
  for (const raise of ['ABORT', 'ROLLBACK'] as const) {
    await using opened = await open();
    const { store, path } = opened;
    {
      using _failing = failing(path, 'INSERT ON tags', raise);
      await assert.rejects(one(store, service('a', { tags: ['x'] })), /no space/);
    }
    assert.equal(store.revision, 0);
    await one(store, service('a', { tags: ['x'] }));
    assert.deepEqual([store.revision, store.count('services')], [1, 1]);
  }
});

test('changes of a commit come in pages, by kind and id', async () => {
  await using opened = await open();
  const { store } = opened;
  const writes = Array.from({ length: 12 }, (_, n) => service(`s${n}`));
  await store.commit([...writes, { op: 'create', kind: 'consumers', input: { username: 'c' } }], BY);
  const found: string[] = [];
  for (let after: { kind: string; id: string } | null = null; ;) {
    const page = store.changes(1, { size: 5, after });
    assert.ok(page !== null && page.length <= 5);
    found.push(...page.map(({ kind, id }) => `${kind} ${id}`));
    after = page.at(-1) ?? null;
    if (after === null) break;
  }
  assert.equal(new Set(found).size, 13);
  assert.deepEqual(found, found.toSorted());
  assert.equal(store.changes(2, { size: 5 }), null);
});

test('another node was faster: what can be read again is, what cannot was kept', async () => {
  const appended: Array<{ length: number; kinds: string[] }> = [];
  let refusals = 0;
  const sequencer: Sequencer = {
    append({ changes }) {
      // Twice: a log may have to try again.
      for (const _ of changes);
      appended.push({ length: changes.length, kinds: [...changes].map(({ kind }) => kind) });
      return Promise.resolve(refusals-- <= 0);
    },
    catchUp: () => Promise.resolve(),
  };
  await using opened = await open({ sequencer });
  const { store } = opened;
  let begun = 0;
  const many = function* (prefix: string): Generator<Write> {
    begun++;
    for (let n = 0; n < 1200; n++) yield service(`${prefix}${n}`);
  };
  refusals = 2;
  await store.commit({ [Symbol.iterator]: () => many('a') }, BY);
  assert.equal(begun, 3);
  assert.deepEqual(
    appended.map(({ length, kinds }) => [length, kinds.length]),
    [
      [1200, 1200],
      [1200, 1200],
      [1200, 1200],
    ],
  );
  refusals = 1;
  await store.commit(many('b'), BY);
  assert.deepEqual([begun, store.count('services'), store.revision], [4, 2400, 2]);
});
