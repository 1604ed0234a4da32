/** Memberships over HTTP, from either side. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Values } from '../../../entities/schema/field.ts';
import { Catalog } from '../../../store/catalog/catalog.ts';
import { CatalogStore } from '../../../store/catalog-store.ts';
import { ROUTE_CHECKS } from '../../../store/file/route-checks.ts';
import { tempDir } from '../../../../test/support/temp-dir.ts';
import { fakeAdmin } from '../admin.fixture.ts';

/** Two groups and two consumers in a store of their own. */
async function setUp() {
  const folder = await tempDir();
  const catalog = new Catalog({ path: join(folder.path, 'store.db'), durable: false });
  const store = new CatalogStore({
    catalog,
    context: () => ({ flavor: 'traditional_compatible', ...ROUTE_CHECKS }),
    retention: 100,
  });
  const { ask } = fakeAdmin({ store });
  const add = async (path: string, body: Values): Promise<Values> => (await ask('POST', path, body)).body;
  return {
    ask,
    add,
    store,
    gold: await add('/consumer_groups', { name: 'gold' }),
    silver: await add('/consumer_groups', { name: 'silver' }),
    ann: await add('/consumers', { username: 'ann' }),
    bob: await add('/consumers', { username: 'bob' }),
    async [Symbol.asyncDispose]() {
      catalog.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

test('a consumer is added from either side, by name and by id', async () => {
  await using world = await setUp();
  const { ask, gold, silver, ann, bob } = world;
  const first = await ask('POST', '/consumer_groups/gold/consumers', { consumer: 'ann' });
  assert.deepEqual([first.status, first.body], [201, { consumer_group: gold, consumers: [ann] }]);
  const second = await ask('POST', `/consumers/${String(ann['id'])}/consumer_groups`, {
    group: silver['id'],
  });
  assert.deepEqual([second.status, second.body], [201, { consumer: ann, consumer_groups: [silver] }]);
  await ask('POST', '/consumer_groups/gold/consumers', { consumer: bob['id'] });

  const members = await ask('GET', '/consumer_groups/gold/consumers');
  assert.equal(members.body['next'], null);
  const names = (list: unknown, name: string): unknown[] =>
    (list as Values[]).map((one) => String(one[name])).toSorted();
  assert.deepEqual(names(members.body['data'], 'username'), ['ann', 'bob']);
  const groups = await ask('GET', '/consumers/ann/consumer_groups');
  assert.deepEqual(names(groups.body['data'], 'name'), ['gold', 'silver']);
});

test('one group is answered with its consumers and plugins, as go-kong reads it', async () => {
  await using world = await setUp();
  const { ask, gold, ann } = world;
  await ask('POST', '/consumer_groups/gold/consumers', { consumer: 'ann' });
  const { body } = await ask('GET', '/consumer_groups/gold');
  assert.deepEqual(body, { consumer_group: gold, plugins: [], consumers: [ann] });
  const short = await ask('GET', `/consumer_groups/${String(gold['id'])}?list_consumers=false`);
  assert.deepEqual(short.body, { consumer_group: gold, plugins: [] });
});

test('consumers leave one group, or all', async () => {
  await using world = await setUp();
  const { ask, ann } = world;
  for (const group of ['gold', 'silver'])
    await ask('POST', `/consumer_groups/${group}/consumers`, { consumer: 'ann' });
  assert.deepEqual((await ask('GET', '/consumer_groups/gold/consumers/ann')).body, ann);
  assert.equal((await ask('DELETE', '/consumer_groups/gold/consumers/ann')).status, 204);
  assert.equal((await ask('GET', '/consumer_groups/gold/consumers/ann')).status, 404);
  assert.equal((await ask('GET', '/consumers/ann/consumer_groups/gold')).status, 404);
  assert.equal((await ask('GET', '/consumers/ann/consumer_groups/silver')).status, 200);
  assert.equal((await ask('DELETE', '/consumers/ann/consumer_groups')).status, 204);
  assert.deepEqual((await ask('GET', '/consumers/ann/consumer_groups')).body, { data: [], next: null });
});

test('pages', async () => {
  await using world = await setUp();
  const { ask, add } = world;
  for (let n = 0; n < 5; n++) {
    await add('/consumers', { username: `c${n}` });
    await add('/consumer_groups/gold/consumers', { consumer: `c${n}` });
  }
  const seen = new Set<unknown>();
  let path: unknown = '/consumer_groups/gold/consumers?size=2';
  while (typeof path === 'string') {
    const { body } = await ask('GET', `${path}${path.includes('size') ? '' : '&size=2'}`);
    for (const { username } of body['data'] as Values[]) seen.add(username);
    path = body['next'];
  }
  assert.equal(seen.size, 5);
  const cases = [
    ['size=0', 9, 'size must be an integer between 1 and 1000'],
    ['size=a', 9, 'size must be a number'],
    ['offset=x', 7, "'x' is not a valid offset: bad base64 encoding"],
  ] as const;
  for (const [query, code, message] of cases) {
    const { status, body } = await ask('GET', `/consumer_groups/gold/consumers?${query}`);
    assert.deepEqual([status, body['code'], body['message']], [400, code, message]);
  }
});

test('what is wrong', async () => {
  await using world = await setUp();
  const { ask } = world;
  const path = '/consumer_groups/gold/consumers';
  assert.equal((await ask('POST', path, { consumer: 'ann' })).status, 201);
  const again = await ask('POST', path, { consumer: 'ann' });
  assert.deepEqual([again.status, again.body['code']], [409, 5]);
  const cases: ReadonlyArray<readonly [string, string, unknown, number]> = [
    ['POST', path, { consumer: 'eve' }, 404],
    ['POST', path, { consumer: 7 }, 400],
    ['POST', path, {}, 400],
    ['POST', path, '{', 400],
    ['POST', '/consumer_groups/nobody/consumers', { consumer: 'ann' }, 404],
    ['GET', '/consumer_groups/nobody', undefined, 404],
    ['DELETE', `${path}/bob`, undefined, 404],
    ['PUT', path, {}, 405],
  ];
  for (const [method, where, body, status] of cases) {
    assert.equal((await ask(method, where, body)).status, status, `${method} ${where}`);
  }
  const without = fakeAdmin();
  assert.equal((await without.ask('GET', '/consumer_groups/gold')).status, 404);
});
