/** Lists over the Admin API: pages, tags, and what their arguments may be. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AdminServer, type Json, startAdmin } from '../support/admin-server.ts';

async function makeMany(admin: AdminServer, path: string, entities: readonly Json[]): Promise<void> {
  for (const entity of entities) {
    const { status, text } = await admin.call('POST', path, entity);
    assert.equal(status, 201, text);
  }
}

/** All entities of a list, page by page, along `next`. */
async function walk(
  admin: AdminServer,
  first: string,
): Promise<{ readonly pages: number[]; readonly all: Json[] }> {
  const pages: number[] = [];
  const all: Json[] = [];
  for (let next: unknown = first; typeof next === 'string';) {
    const { status, body, text } = await admin.call('GET', next);
    assert.equal(status, 200, text);
    const data = body['data'] as Json[];
    pages.push(data.length);
    all.push(...data);
    assert.equal('offset' in body, body['next'] !== null);
    next = body['next'];
  }
  return { pages, all };
}

const consumers = Array.from({ length: 7 }, (_, n) => ({
  username: `u${n}`,
  custom_id: `c${n}`,
  tags: n % 2 === 0 ? ['even', 'all'] : ['odd one', 'all'],
}));

test('a list is walked by its next', async () => {
  await using admin = await startAdmin();
  await makeMany(admin, '/consumers', consumers);
  const { pages, all } = await walk(admin, '/consumers?size=3');
  assert.deepEqual(pages, [3, 3, 1]);
  const ids = all.map(({ id }) => String(id));
  assert.deepEqual(ids, ids.toSorted());
  assert.equal(new Set(ids).size, 7);
  assert.deepEqual((await walk(admin, '/consumers?size=7')).pages, [7]);
});

test('the next page carries size and tags, a nested one the offset alone', async () => {
  await using admin = await startAdmin();
  await makeMany(admin, '/consumers', consumers);
  const { body } = await admin.call('GET', '/consumers?tags=all,odd%20one&size=1');
  const next = new URL(String(body['next']), admin.origin);
  assert.equal(next.pathname, '/consumers');
  assert.deepEqual(Object.fromEntries(next.searchParams), {
    tags: 'all,odd one',
    size: '1',
    offset: body['offset'],
  });
  assert.deepEqual((await walk(admin, '/consumers?tags=all,odd%20one&size=1')).pages, [1, 1, 1]);
  assert.deepEqual((await walk(admin, '/consumers?tags=even/odd%20one&size=4')).pages, [4, 3]);
  assert.deepEqual((await walk(admin, '/consumers?tags=none')).pages, [0]);

  const routes = Array.from({ length: 3 }, (_, n) => ({ paths: [`/${n}`] }));
  await makeMany(admin, '/services', [{ name: 's', host: 'h' }]);
  await makeMany(admin, '/services/s/routes', routes);
  const nested = await admin.call('GET', '/services/s/routes?size=2&tags=x');
  assert.equal((nested.body['data'] as unknown[]).length, 2);
  assert.equal(
    nested.body['next'],
    `/services/s/routes?offset=${encodeURIComponent(String(nested.body['offset']))}`,
  );
  assert.deepEqual((await walk(admin, '/services/s/routes?size=2')).pages, [2, 1]);
});

test('arguments that are wrong', async () => {
  await using admin = await startAdmin();
  const size = (message: string): Json => ({ code: 9, name: 'invalid size', message });
  const between = size('size must be an integer between 1 and 1000');
  const number = size('size must be a number');
  const offset = (text: string, why: string): Json => ({
    code: 7,
    name: 'invalid offset',
    message: `'${text}' is not a valid offset: ${why}`,
  });
  const tags = (why: string): Json => ({
    code: 11,
    name: 'invalid options',
    message: `invalid option (tags: ${why})`,
    options: { tags: why },
  });
  const cases: ReadonlyArray<[query: string, body: Json]> = [
    ['size=0', between],
    ['size=1001', between],
    ['size=1.5', between],
    ['size=-1', between],
    ['size=', number],
    ['size=a', number],
    ['size', number],
    ['size=1&size=2', number],
    ['offset=x', offset('x', 'bad base64 encoding')],
    ['offset=hello', offset('hello', 'bad base64 encoding')],
    ['offset=YWJj', offset('YWJj', 'bad json encoding')],
    ['offset=W10', offset('W10', 'bad json encoding')],
    ['offset=WzFd', offset('WzFd', 'bad json encoding')],
    ['tags=', tags('cannot be null')],
    ['tags=a,b/c', tags('invalid filter syntax')],
    ['tags=%ff', tags('invalid filter syntax')],
    ['tags=a%00', tags('invalid filter syntax')],
    ['tags=a,,b', tags('invalid filter syntax')],
    ['tags=a,b,c,d,e,f', tags('cannot query more than 5 tags')],
  ];
  for (const [query, body] of cases) {
    const answer = await admin.call('GET', `/services?${query}`);
    assert.deepEqual([answer.status, answer.body], [400, body], query);
  }
  const many = await admin.call('GET', `/services?${'a=1&'.repeat(1001)}`);
  assert.deepEqual([many.status, many.body], [400, { message: 'Too many arguments' }]);
  assert.deepEqual(admin.errors, []);
});

test('consumers by custom_id', async () => {
  await using admin = await startAdmin();
  await makeMany(admin, '/consumers', consumers);
  const found = await admin.call('GET', '/consumers?custom_id=c3');
  assert.deepEqual([(found.body['data'] as Json[])[0]?.['username'], found.body['next']], ['u3', null]);
  assert.deepEqual((await admin.call('GET', '/consumers?custom_id=x')).body, { data: [], next: null });
  for (const query of ['custom_id=', 'custom_id', 'custom_id=a&custom_id=b']) {
    const refused = await admin.call('GET', `/consumers?${query}`);
    assert.deepEqual(
      [refused.status, refused.body],
      [400, { message: 'custom_id must be an unempty string' }],
      query,
    );
  }
});

test('tags are rows of tag, kind and id', async () => {
  await using admin = await startAdmin();
  await makeMany(admin, '/consumers', consumers);
  await makeMany(admin, '/services', [{ name: 's', host: 'h', tags: ['all', 'ü'] }]);
  const { pages, all } = await walk(admin, '/tags?size=5');
  assert.deepEqual(pages, [5, 5, 5, 1]);
  assert.deepEqual(Object.keys(all[0] ?? {}).sort(), ['entity_id', 'entity_name', 'tag']);
  assert.equal((await walk(admin, '/tags/all?size=3')).all.length, 8);
  assert.equal((await walk(admin, '/tags/%C3%BC')).all[0]?.['entity_name'], 'services');
  const invalid = await admin.call('GET', '/tags/a%2Cb');
  assert.deepEqual(
    [invalid.status, invalid.body['code'], invalid.body['name']],
    [400, 10, 'invalid unique tag'],
  );
});

test('targets come newest first', async () => {
  await using admin = await startAdmin();
  await makeMany(admin, '/upstreams', [{ name: 'u' }]);
  const targets = Array.from({ length: 5 }, (_, n) => ({
    target: `h${n}:80`,
    created_at: 1000 + n,
    weight: n,
  }));
  await makeMany(admin, '/upstreams/u/targets', targets);
  const { pages, all } = await walk(admin, '/upstreams/u/targets');
  assert.deepEqual(pages, [5]);
  assert.deepEqual(
    all.map(({ target }) => target),
    ['h4:80', 'h3:80', 'h2:80', 'h1:80', 'h0:80'],
  );
  const page = await admin.call('GET', '/upstreams/u/targets?size=2');
  assert.deepEqual([page.body['offset'], page.body['next']], ['2', '/upstreams/u/targets?offset=2']);
  assert.equal((await admin.call('GET', '/upstreams/u/targets?offset=x')).body['code'], 7);
  assert.deepEqual((await walk(admin, '/upstreams/u/targets/all?size=2')).pages, [2, 3]);
  const put = await admin.call('PUT', '/upstreams/u/targets/h0:80', { weight: 9 });
  assert.deepEqual([put.status, put.body['target'], put.body['weight']], [200, 'h0:80', 9]);
});
