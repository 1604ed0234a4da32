/** Memberships over HTTP, from either side, on a store of the simplest kind. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import type { Values } from '../../entities/schema/field.ts';
import type { Committed, ConfigStore, PageOptions, Selector, Write } from '../../store/config-store.ts';
import { uniqueViolation } from '../../store/errors.ts';
import { fakeAdmin } from './admin.fixture.ts';

const KEYS: Readonly<Record<string, string>> = { consumers: 'username', consumer_groups: 'name' };

/** As much of a store as these endpoints ask. */
class Memory {
  readonly #rows = new Map<string, Map<string, Values>>();
  readonly authors: unknown[] = [];

  refresh(): Promise<void> {
    return Promise.resolve();
  }

  add(kind: string, values: Values): Values {
    const entity = { id: randomUUID(), ...values };
    const rows = this.#rows.get(kind) ?? new Map<string, Values>();
    this.#rows.set(kind, rows.set(entity.id, entity));
    return entity;
  }

  get(kind: string, { id, key }: Selector): Values | null {
    const rows = [...(this.#rows.get(kind)?.values() ?? [])];
    return rows.find((row) => (id === undefined ? row[KEYS[kind] ?? ''] === key : row['id'] === id)) ?? null;
  }

  page(kind: string, { size, after, within }: PageOptions) {
    const rows = [...(this.#rows.get(kind)?.values() ?? [])]
      .filter((row) => within === null || within === undefined || refers(row, within))
      .sort((a, b) => (String(a['id']) < String(b['id']) ? -1 : 1))
      .filter(({ id }) => after === null || after === undefined || String(id) > after);
    const entities = rows.slice(0, size);
    return { entities, next: rows.length > size ? String(entities.at(-1)?.['id']) : null };
  }

  async commit(writes: readonly Write[], { author }: { author: unknown }): Promise<Committed> {
    this.authors.push(author);
    for (const write of writes) {
      const rows = this.#rows.get(write.kind);
      if (write.op === 'delete') rows?.delete(String(write.select.id));
      else if (write.op === 'create') this.#create(write.kind, write.input);
    }
    return Promise.resolve({ revision: 1, results: [] });
  }

  #create(kind: string, input: Values): void {
    const text = JSON.stringify(input);
    for (const { id: _id, ...rest } of this.#rows.get(kind)?.values() ?? []) {
      if (JSON.stringify(rest) === text) throw uniqueViolation(input);
    }
    this.add(kind, input);
  }
}

function refers(row: Values, { field, id }: { field: string; id: string }): boolean {
  return (row[field] as { id?: string } | undefined)?.id === id;
}

function setUp() {
  const store = new Memory();
  const gold = store.add('consumer_groups', { name: 'gold' });
  const silver = store.add('consumer_groups', { name: 'silver' });
  const ann = store.add('consumers', { username: 'ann' });
  const bob = store.add('consumers', { username: 'bob' });
  return { ...fakeAdmin({ store: store as unknown as ConfigStore }), store, gold, silver, ann, bob };
}

test('a consumer is added from either side, by name and by id', async () => {
  const { ask, gold, silver, ann, bob, store } = setUp();
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
  assert.deepEqual(store.authors[0], { name: null, source: '', message: null });
});

test('one group is answered with its consumers and plugins, as go-kong reads it', async () => {
  const { ask, store, gold, ann } = setUp();
  await ask('POST', '/consumer_groups/gold/consumers', { consumer: 'ann' });
  const plugin = store.add('plugins', { name: 'cors', consumer_group: { id: gold['id'] } });
  const { body } = await ask('GET', '/consumer_groups/gold');
  assert.deepEqual(body, { consumer_group: gold, plugins: [plugin], consumers: [ann] });
  const short = await ask('GET', `/consumer_groups/${String(gold['id'])}?list_consumers=false`);
  assert.deepEqual(short.body, { consumer_group: gold, plugins: [plugin] });
});

test('consumers leave one group, or all', async () => {
  const { ask, ann } = setUp();
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
  const { ask, store, gold } = setUp();
  for (let n = 0; n < 5; n++) {
    const consumer = store.add('consumers', { username: `c${n}` });
    store.add('consumer_group_consumers', {
      consumer_group: { id: gold['id'] },
      consumer: { id: consumer['id'] },
    });
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
  const { ask } = setUp();
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
