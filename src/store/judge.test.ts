/** Commits of an author whose grant has limits: every change is judged, and one that is refused refuses all. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { tempDir } from '../../test/support/temp-dir.ts';
import { MASK } from '../entities/secrets.ts';
import { Catalog } from './catalog/catalog.ts';
import { CatalogStore } from './catalog-store.ts';
import type { Judge, WantedChange, Write } from './config-store.ts';
import { Forbidden, StoreError } from './errors.ts';

const author = { name: 'team', source: 'test', message: null };

async function open(): Promise<AsyncDisposable & { readonly store: CatalogStore }> {
  const folder = await tempDir();
  const catalog = new Catalog({ path: join(folder.path, 'store.db'), durable: false });
  const context = () => ({ flavor: 'traditional_compatible' as const });
  const store = new CatalogStore({ catalog, context, retention: 1000 });
  return {
    store,
    async [Symbol.asyncDispose]() {
      catalog.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

const tagged = ({ before, after }: WantedChange): string | null =>
  [before, after].every((entity) => entity === null || String(entity['tags']).includes('mine'))
    ? null
    : 'not tagged mine';

const consumer = (username: string, tags: readonly string[] | null): Write => ({
  op: 'create',
  kind: 'consumers',
  input: { username, tags },
});
const keyOf = (username: string, key: string, tags: readonly string[] | null): Write => ({
  op: 'create',
  kind: 'keyauth_credentials',
  input: { key, tags, consumer: { username } },
});

async function refused(work: Promise<unknown>): Promise<StoreError> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof StoreError, String(error));
    return error;
  }
  return assert.fail('expected to be refused');
}

test('one change that is not allowed refuses the whole commit, cascades and restoring among it', async () => {
  await using opened = await open();
  const { store } = opened;
  const judge: Judge = tagged;
  await store.commit([consumer('a', ['mine']), keyOf('a', 'k1', ['mine'])], { author, judge });
  await store.commit([keyOf('a', 'k2', null), consumer('b', null)], { author });
  const before = store.revision;
  const select = { key: 'a' };
  const cases: ReadonlyArray<readonly [writes: readonly Write[], index: number]> = [
    [[consumer('c', ['mine']), consumer('d', null)], 1],
    [[{ op: 'delete', kind: 'consumers', select }], 0],
    [[{ op: 'patch', kind: 'consumers', select, input: { tags: ['other'] } }], 0],
    [[{ op: 'patch', kind: 'consumers', select: { key: 'b' }, input: { tags: ['mine'] } }], 0],
    [[{ op: 'put', kind: 'consumers', select: { key: 'b' }, input: { tags: ['mine'] } }], 0],
    // It changes nothing, and the answer would tell what the secret is.
    [[{ op: 'patch', kind: 'keyauth_credentials', select: { key: 'k2' }, input: { key: 'k2' } }], 0],
  ];
  for (const [writes, index] of cases) {
    const error = await refused(store.commit(writes, { author, judge }));
    assert.ok(error instanceof Forbidden);
    assert.deepEqual(
      [error.status, error.index, error.toBody()],
      [403, index, { message: 'not tagged mine' }],
    );
  }
  assert.ok((await refused(store.restore(1, { author, judge }))) instanceof Forbidden);
  assert.equal(store.revision, before);
  assert.equal(store.count('consumers'), 2);
  assert.equal(store.count('keyauth_credentials'), 2);
  await store.commit([{ op: 'patch', kind: 'consumers', select, input: { custom_id: 'x' } }], {
    author,
    judge,
  });
  assert.equal(store.get('consumers', select)?.['custom_id'], 'x');
});

test('what ends by itself is a change of nobody', async () => {
  await using opened = await open();
  const { store } = opened;
  const short: Write = {
    op: 'create',
    kind: 'keyauth_credentials',
    input: { key: 'k', ttl: 1, consumer: { username: 'a' } },
  };
  await store.commit([consumer('a', null), short], { author });
  await new Promise((resolve) => setTimeout(resolve, 2100));
  await store.commit([consumer('c', ['mine'])], { author, judge: tagged });
  assert.equal(store.count('keyauth_credentials'), 0);
});

test('a mask that is sent back is no secret, and no message has one', async () => {
  await using opened = await open();
  const { store } = opened;
  await store.commit([consumer('a', null), keyOf('a', 'open-sesame', null)], { author });
  const select = { key: 'open-sesame' };
  for (const op of ['put', 'patch'] as const) {
    const input = { key: MASK, consumer: store.get('keyauth_credentials', select)?.['consumer'] };
    const { id } = store.get('keyauth_credentials', select) as { id: string };
    const write: Write = { op, kind: 'keyauth_credentials', select: { id }, input };
    const error = await refused(store.commit([write], { author }));
    assert.match(error.message, /key: \*{6} stands for a secret that was not shown/);
  }
  const password = { username: 'u', password: MASK, consumer: { username: 'a' } };
  const hashed: Write = { op: 'create', kind: 'basicauth_credentials', input: password };
  assert.match((await refused(store.commit([hashed], { author }))).message, /password: \*{6} stands/);
  const taken = await refused(store.commit([keyOf('a', 'open-sesame', null)], { author }));
  assert.equal(taken.message, `UNIQUE violation detected on '{key="${MASK}"}'`);
  assert.ok(!JSON.stringify(taken.toBody()).includes('sesame'));
});
