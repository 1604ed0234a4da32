/**
 * What every store of the configuration must do, whatever it is made of. Reads are asked of all; of those that can be
 * written, that a commit happens as a whole or not at all, is in the log, and can be undone.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Values } from '../../../src/entities/schema/field.ts';
import type { CommitOptions, ConfigStore, Write, WriteResult } from '../../../src/store/config-store.ts';
import { RevisionConflict, StoreError } from '../../../src/store/errors.ts';

export const BY: CommitOptions = { author: { name: 'tester', source: '127.0.0.1', message: 'why' } };

export interface OpenedStore extends AsyncDisposable {
  readonly store: ConfigStore;
}

type Case = readonly [name: string, run: (store: ConfigStore) => Promise<void>];

/** A store that has what the writes make. */
export type Opener = (writes: readonly Write[]) => Promise<OpenedStore>;

export function writeContract(name: string, open: Opener): void {
  for (const [what, run] of WRITES) {
    test(`${name}: ${what}`, async () => {
      await using opened = await open([]);
      await run(opened.store);
    });
  }
}

export function readContract(name: string, open: Opener): void {
  for (const [what, run] of READS) {
    test(`${name}: ${what}`, async () => {
      await using opened = await open(MANY);
      await run(opened.store);
    });
  }
}

async function one(store: ConfigStore, write: Write): Promise<Values> {
  const { results } = await store.commit([write], BY);
  return results[0]?.entity ?? {};
}

async function refused(store: ConfigStore, writes: readonly Write[]): Promise<StoreError> {
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

const routeOf = (path: string, service: string): Write => ({
  op: 'create',
  kind: 'routes',
  input: { paths: [path], service: { name: service } },
});

const MANY: readonly Write[] = [
  ...Array.from({ length: 25 }, (_, n) =>
    service(`s${n}`, { tags: [n % 2 === 0 ? 'even' : 'odd', n % 3 === 0 ? 'three' : 'other'] }),
  ),
  ...['/a', '/b', '/c'].map((path) => routeOf(path, 's0')),
  routeOf('/d', 's1'),
];

/** Ids of all pages. */
function walk(store: ConfigStore, options: Parameters<ConfigStore['page']>[1]): string[] {
  const ids: string[] = [];
  for (let after: string | null = null; ;) {
    const page = store.page('services', { ...options, after });
    ids.push(...page.entities.map(({ id }) => String(id)));
    after = page.next;
    if (after === null) return ids;
  }
}

const READS: readonly Case[] = [
  [
    'pages follow the order of ids',
    async (store) => {
      await store.refresh();
      const all = walk(store, { size: 7 });
      assert.equal(all.length, 25);
      assert.deepEqual(all, all.toSorted());
      assert.deepEqual(
        [...store.all('services')].map(({ id }) => id),
        all,
      );
      assert.deepEqual(
        [store.count('services'), store.count('routes'), store.count('consumers')],
        [25, 4, 0],
      );
    },
  ],
  [
    'tags filter by all and any, and are listed',
    async (store) => {
      await store.refresh();
      const count = (match: 'all' | 'any', ...names: string[]): number =>
        walk(store, { size: 2, tags: { match, names } }).length;
      assert.deepEqual(
        [count('all', 'even', 'three'), count('any', 'even', 'three'), count('all', 'none')],
        [5, 17, 0],
      );
      const [tag] = store.tags({ size: 1 });
      assert.equal(tag?.entity_name, 'services');
      assert.equal(store.tags({ size: 1000 }).length, 50);
      assert.equal(store.tags({ tag: 'even', size: 1000 }).length, 13);
    },
  ],
  [
    'an entity is found by id, by key and within its parent',
    async (store) => {
      await store.refresh();
      const parent = store.get('services', { key: 's0' });
      const id = String(parent?.['id']);
      assert.deepEqual(store.get('services', { id: id.toUpperCase() }), parent);
      assert.equal(store.get('services', { key: 's25' }), null);
      const within = { field: 'service', id };
      const page = store.page('routes', { size: 2, within });
      assert.equal(page.entities.length, 2);
      assert.equal(store.page('routes', { size: 2, within, after: page.next }).entities.length, 1);
    },
  ],
];

const WRITES: readonly Case[] = [
  [
    'the newest come first, page by page, and those of one second by id',
    async (store) => {
      const upstream = await one(store, { op: 'create', kind: 'upstreams', input: { name: 'u' } });
      const times = [30, 10, 20, 30, 10];
      const writes = times.map((created_at, n): Write => ({
        op: 'create',
        kind: 'targets',
        input: { target: `127.0.0.1:${n + 1}`, upstream: { id: upstream['id'] }, created_at },
      }));
      const { results } = await store.commit(writes, BY);
      const expected = results
        .map(({ entity }) => ({ time: Number(entity?.['created_at']), id: String(entity?.['id']) }))
        .sort((a, b) => b.time - a.time || (a.id < b.id ? 1 : -1));
      const within = { field: 'upstream', id: String(upstream['id']) };
      const found: unknown[] = [];
      const places: Array<number | null> = [];
      for (let from: number | null = 0; from !== null;) {
        const page = store.newest('targets', { within, from, size: 2 });
        found.push(...page.entities.map(({ id }) => id));
        places.push((from = page.next));
      }
      assert.deepEqual(
        found,
        expected.map(({ id }) => id),
      );
      assert.deepEqual(places, [2, 4, null]);
      assert.deepEqual(store.newest('targets', { within, from: 5, size: 2 }), { entities: [], next: null });
    },
  ],
  [
    'a page of large entities ends before it has all that were asked for, and the next goes on',
    async (store) => {
      const large = (n: number): Write => ({
        op: 'create',
        kind: 'consumers',
        input: { username: `${n}${'x'.repeat(3 * 2 ** 20)}` },
      });
      await store.commit([1, 2, 3, 4, 5].map(large), BY);
      const first = store.page('consumers', { size: 10 });
      assert.ok(first.entities.length > 0 && first.entities.length < 5);
      assert.equal(first.next, first.entities.at(-1)?.['id']);
      const second = store.page('consumers', { size: 10, after: first.next });
      assert.deepEqual([first.entities.length + second.entities.length, second.next], [5, null]);
    },
  ],
  [
    'a created entity is complete, and found by id and name, with a page and a count of its kind',
    async (store) => {
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
    },
  ],

  [
    'what is refused leaves nothing, also when it comes late in a list',
    async (store) => {
      const made = await one(store, service('a'));
      const route: Write = {
        op: 'create',
        kind: 'routes',
        input: { name: 'r', paths: ['/r'], service: made },
      };
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
    },
  ],

  [
    'put replaces, patch merges, delete deletes; nothing new is no revision',
    async (store) => {
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
    },
  ],

  [
    'the log tells who changed what, and any revision comes back',
    async (store) => {
      const a = await one(store, service('a'));
      await store.commit([{ op: 'patch', kind: 'services', select: { key: 'a' }, input: { name: 'b' } }], BY);
      // A name that another had is free within the same commit.
      await store.commit(
        [service('a'), { op: 'create', kind: 'routes', input: { paths: ['/'], service: { name: 'b' } } }],
        BY,
      );
      assert.deepEqual(
        store
          .revisions({ size: 10 })
          .map(({ revision, changes, author }) => [revision, changes, author.name]),
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
    },
  ],

  [
    'a commit may expect its revision',
    async (store) => {
      await store.commit([service('a')], { ...BY, ifRevision: 0 });
      await assert.rejects(store.commit([service('b')], { ...BY, ifRevision: 0 }), RevisionConflict);
      await store.commit([service('b')], { ...BY, dryRun: true });
      assert.equal(store.count('services'), 1);
    },
  ],

  [
    'commits that come together all happen',
    async (store) => {
      await Promise.all(Array.from({ length: 50 }, (_, n) => one(store, service(`s${n}`))));
      assert.equal(store.count('services'), 50);
      assert.equal(store.revision, 50);
    },
  ],
];
