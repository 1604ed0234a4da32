import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { tempDir } from '../../test/support/temp-dir.ts';
import { Catalog } from './catalog/catalog.ts';
import { CatalogStore } from './catalog-store.ts';
import type { CommitOptions, Write, WriteResult } from './config-store.ts';
import { RevisionConflict, StoreError } from './errors.ts';
import type { Values } from '../entities/schema/field.ts';

const BY: CommitOptions = { author: { name: 'tester', source: '127.0.0.1', message: 'why' } };

interface Opened extends AsyncDisposable {
  readonly store: CatalogStore;
  readonly path: string;
}

async function open({ retention = 1000 } = {}): Promise<Opened> {
  const folder = await tempDir();
  const path = join(folder.path, 'store.db');
  const catalog = new Catalog({ path, durable: true });
  const store = new CatalogStore({
    catalog,
    context: () => ({ flavor: 'traditional_compatible' }),
    retention,
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

async function refused(store: CatalogStore, writes: readonly Write[]): Promise<StoreError> {
  const { revision } = store;
  try {
    await store.commit(writes, BY);
  } catch (error) {
    assert.ok(error instanceof StoreError, String(error));
    assert.equal(store.revision, revision);
    return error;
  }
  return assert.fail('expected to be refused');
}

const service = (name: string, more: Values = {}): Write => ({
  op: 'create',
  kind: 'services',
  input: { name, host: `${name}.test`, ...more },
});

test('a created entity is complete, and found by id and name, with a page and a count of its kind', async () => {
  await using opened = await open();
  const { store } = opened;
  const made = await one(store, service('a', { tags: ['x', 'y'] }));
  assert.equal(made['retries'], 5);
  assert.equal(made['path'], null);
  assert.deepEqual(store.get('services', { id: String(made['id']) }), made);
  assert.deepEqual(store.get('services', { id: String(made['id']).toUpperCase() }), made);
  assert.deepEqual(store.get('services', { key: 'a' }), made);
  assert.equal(store.get('services', { key: 'b' }), null);
  assert.deepEqual(store.page('services', { size: 10 }), { entities: [made], next: null });
  assert.equal(store.count('services'), 1);
  assert.equal(store.revision, 1);
});

test('what is refused leaves nothing, also when it comes late in a list', async () => {
  await using opened = await open();
  const { store } = opened;
  const made = await one(store, service('a'));
  const route: Write = { op: 'create', kind: 'routes', input: { name: 'r', paths: ['/r'], service: made } };
  await one(store, { ...route, input: { name: 'r', paths: ['/r'], service: { name: 'a' } } });
  const missing = '11111111-1111-4111-8111-111111111111';
  const table: ReadonlyArray<readonly [Write, number, string]> = [
    [{ op: 'create', kind: 'services', input: {} }, 2, 'schema violation (host: required field missing)'],
    [service('a'), 5, `UNIQUE violation detected on '{name="a"}'`],
    [service('b', { id: made['id'] }), 3, `primary key violation on key '{id="${String(made['id'])}"}'`],
    [
      { op: 'create', kind: 'routes', input: { paths: ['/x'], service: { id: missing } } },
      4,
      `the foreign key '{id="${missing}"}' does not reference an existing 'services' entity.`,
    ],
    [
      { op: 'create', kind: 'routes', input: { paths: ['/x'], service: { name: 'zz' } } },
      13,
      `foreign key unresolved (service.name: the foreign key cannot be resolved with '{name="zz"}' for an existing 'services' entity)`,
    ],
    [
      { op: 'delete', kind: 'services', select: { key: 'a' } },
      4,
      `an existing 'routes' entity references this 'services' entity`,
    ],
    [
      { op: 'patch', kind: 'services', select: { id: missing }, input: {} },
      6,
      `could not find the entity with primary key '{id="${missing}"}'`,
    ],
    [
      { op: 'patch', kind: 'services', select: { key: 'a' }, input: { id: 'x' } },
      2,
      'schema violation (id: expected a valid UUID)',
    ],
  ];
  for (const [write, code, message] of table) {
    const error = await refused(store, [service('late'), write]);
    assert.deepEqual([error.code, error.message, error.index], [code, message, 1]);
    assert.equal(store.get('services', { key: 'late' }), null);
  }
});

test('put replaces, patch merges, delete deletes; nothing new is no revision', async () => {
  await using opened = await open();
  const { store } = opened;
  const put = (input: Values): Promise<Values> =>
    one(store, { op: 'put', kind: 'services', select: { key: 'a' }, input });
  const first = await put({ host: 'one', retries: 7 });
  const second = await put({ host: 'two' });
  assert.equal(second['id'], first['id']);
  assert.deepEqual([second['host'], second['retries'], second['name']], ['two', 5, 'a']);
  const patched = await one(store, {
    op: 'patch',
    kind: 'services',
    select: { key: 'a' },
    input: { retries: 9, url: 'http://three:81/x' },
  });
  assert.deepEqual(
    [patched['host'], patched['port'], patched['path'], patched['retries']],
    ['three', 81, '/x', 9],
  );
  const { revision } = store;
  await one(store, { op: 'patch', kind: 'services', select: { key: 'a' }, input: { retries: 9 } });
  assert.equal(store.revision, revision);
  const gone = async (): Promise<readonly WriteResult[]> =>
    (await store.commit([{ op: 'delete', kind: 'services', select: { key: 'a' } }], BY)).results;
  assert.deepEqual(await gone(), [{ entity: null, happened: true }]);
  assert.deepEqual(await gone(), [{ entity: null, happened: false }]);
  assert.equal(store.count('services'), 0);
});

test('the log tells who changed what, and any revision comes back', async () => {
  await using opened = await open();
  const { store } = opened;
  const a = await one(store, service('a'));
  await store.commit([{ op: 'patch', kind: 'services', select: { key: 'a' }, input: { name: 'b' } }], BY);
  // A name that another had is free within the same commit.
  await store.commit(
    [service('a'), { op: 'create', kind: 'routes', input: { paths: ['/'], service: { name: 'b' } } }],
    BY,
  );
  assert.deepEqual(
    store.revisions({ size: 10 }).map(({ revision, changes, author }) => [revision, changes, author.name]),
    [
      [3, 2, 'tester'],
      [2, 1, 'tester'],
      [1, 1, 'tester'],
    ],
  );
  assert.deepEqual(
    store.changes(2)?.map(({ before, after }) => [before?.['name'], after?.['name']]),
    [['a', 'b']],
  );
  await store.restore(1, BY);
  assert.deepEqual(store.page('services', { size: 10 }).entities, [a]);
  assert.equal(store.count('routes'), 0);
  assert.equal(store.revision, 4);
  await store.restore(3, BY);
  assert.deepEqual([store.count('services'), store.count('routes')], [2, 1]);
  await assert.rejects(store.restore(9, BY), RangeError);
});

test('pages follow the order of ids; tags filter by all and any; children by their parent', async () => {
  await using opened = await open();
  const { store } = opened;
  const writes = Array.from({ length: 25 }, (_, n) =>
    service(`s${n}`, { tags: [n % 2 === 0 ? 'even' : 'odd', n % 3 === 0 ? 'three' : 'other'] }),
  );
  await store.commit(writes, BY);
  const walk = (options: Parameters<CatalogStore['page']>[1]): string[] => {
    const ids: string[] = [];
    for (let after: string | null = null; ;) {
      const page = store.page('services', { ...options, after });
      ids.push(...page.entities.map(({ id }) => String(id)));
      after = page.next;
      if (after === null) return ids;
    }
  };
  const all = walk({ size: 7 });
  assert.equal(all.length, 25);
  assert.deepEqual(all, all.toSorted());
  assert.equal(walk({ size: 2, tags: { match: 'all', names: ['even', 'three'] } }).length, 5);
  assert.equal(walk({ size: 2, tags: { match: 'any', names: ['even', 'three'] } }).length, 17);
  assert.equal(walk({ size: 5, tags: { match: 'all', names: ['none'] } }).length, 0);
  const [parent] = all;
  const within = { field: 'service', id: String(parent) };
  for (const path of ['/a', '/b', '/c']) {
    await one(store, { op: 'create', kind: 'routes', input: { paths: [path], service: { id: parent } } });
  }
  await one(store, { op: 'create', kind: 'routes', input: { paths: ['/d'], service: { id: all[1] } } });
  assert.equal(store.page('routes', { size: 2, within }).entities.length, 2);
  assert.equal(store.page('routes', { size: 10, within }).entities.length, 3);
  const [tag] = store.tags({ size: 1 });
  assert.equal(tag?.entity_name, 'services');
  assert.equal(store.tags({ size: 1000 }).length, 50);
  assert.equal(store.tags({ tag: 'even', size: 1000 }).length, 13);
});

test('a commit may expect its revision', async () => {
  await using opened = await open();
  const { store } = opened;
  await store.commit([service('a')], { ...BY, ifRevision: 0 });
  await assert.rejects(store.commit([service('b')], { ...BY, ifRevision: 0 }), RevisionConflict);
  await store.commit([service('b')], { ...BY, dryRun: true });
  assert.equal(store.count('services'), 1);
});

test('commits that come together all happen', async () => {
  await using opened = await open();
  const { store } = opened;
  await Promise.all(Array.from({ length: 50 }, (_, n) => one(store, service(`s${n}`))));
  assert.equal(store.count('services'), 50);
  assert.equal(store.revision, 50);
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
