/** What Kong has not: the log, conditions, transactions, events. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RevisionConflict, StoreUnavailable } from '../../../src/store/errors.ts';
import type { Principal } from '../../../src/control/access/principal.ts';
import type { ConfigStore } from '../../../src/store/config-store.ts';
import { type Json, startAdmin } from '../support/admin-server.ts';

const NDJSON = { 'content-type': 'application/x-ndjson' };
const lines = (...writes: readonly unknown[]): string =>
  writes.map((write) => `${JSON.stringify(write)}\n`).join('');
const ADMIN: Principal = { name: 'ann', role: 'admin', kinds: null, tags: null };
const READER: Principal = { ...ADMIN, name: 'reader', role: 'read' };
const SERVICES: Principal = { ...ADMIN, name: 'services', role: 'write', kinds: ['services'] };
const TEAM: Principal = { ...ADMIN, name: 'team', role: 'write', tags: ['team-a'] };
const data = (body: Json): Json[] => body['data'] as Json[];

test('a write tells its revision, and the log who wrote it and why', async () => {
  await using admin = await startAdmin({ principal: ADMIN });
  const headers = { 'x-sluice-message': Buffer.from('first, größer').toString('latin1') };
  const made = await admin.call('POST', '/services', { name: 's', host: 'h' }, headers);
  assert.equal(made.headers.get('x-sluice-revision'), '1');
  assert.equal(made.headers.get('etag'), null);
  await admin.call('PATCH', '/services/s', { retries: 1 });
  const list = await admin.call('GET', '/revisions?size=1');
  assert.deepEqual([data(list.body)[0]?.['revision'], list.headers.get('x-sluice-revision')], [2, '2']);
  const second = await admin.call('GET', String(list.body['next']));
  const [first] = data(second.body);
  assert.deepEqual(
    { ...first, time: null },
    {
      revision: 1,
      time: null,
      author: { name: 'ann', source: '127.0.0.1' },
      message: 'first, größer',
      changes: 1,
    },
  );
  assert.match(String(first?.['time']), /^\d{4}-.*Z$/);
  assert.deepEqual((await admin.call('GET', '/revisions/1')).body, first);
  for (const path of ['/revisions/99', '/revisions/x', '/revisions/99/diff']) {
    assert.equal((await admin.call('GET', path)).status, 404, path);
  }
  for (const message of ['x'.repeat(501), 'a\tb']) {
    const refused = await admin.call('PATCH', '/services/s', {}, { 'x-sluice-message': message });
    assert.equal(refused.status, 400);
  }
});

test('If-Match holds a write to a revision', async () => {
  await using admin = await startAdmin();
  await admin.call('POST', '/services', { name: 's', host: 'h' });
  const cases: ReadonlyArray<[condition: string, status: number]> = [
    ['"0"', 412],
    ['"7"', 412],
    ['x', 400],
    ['"1", x', 400],
    ['"1"', 200],
    ['W/"2"', 200],
    ['3', 200],
    ['"9", "4"', 200],
    ['*', 200],
  ];
  for (const [n, [condition, status]] of cases.entries()) {
    const answer = await admin.call('PATCH', '/services/s', { retries: n }, { 'if-match': condition });
    assert.equal(answer.status, status, `${condition}: ${answer.text}`);
  }
  const stale = await admin.call('DELETE', '/services/s', undefined, { 'if-match': '"1"' });
  assert.deepEqual(stale.body, { message: 'revision 1 is not the current one, which is 6', revision: 6 });
});

test('a dry run keeps nothing', async () => {
  await using admin = await startAdmin();
  const made = await admin.call('POST', '/services?dry_run=1', { name: 's', host: 'h' });
  assert.deepEqual([made.status, made.body['name'], admin.store.revision], [201, 's', 0], made.text);
});

test('a diff names what has changed, and shows secrets to nobody without the right', async () => {
  await using admin = await startAdmin();
  await admin.call('POST', '/consumers', { username: 'bob' });
  await admin.call('POST', '/consumers/bob/key-auth', { key: 'first-secret' });
  await admin.call('PATCH', '/consumers/bob/key-auth/first-secret', { key: 'second-secret' });
  await admin.call('POST', '/upstreams', { name: 'u' });
  await admin.call('PATCH', '/upstreams/u', { healthchecks: { active: { timeout: 3 } } });
  await admin.call('DELETE', '/consumers/bob');
  const diff = async (n: number): Promise<Json[]> =>
    data((await admin.call('GET', `/revisions/${n}/diff`)).body);
  admin.as(ADMIN);
  assert.match(JSON.stringify(await diff(2)), /"key":"first-secret"/);
  admin.as(READER);
  const [made] = await diff(1);
  assert.deepEqual(
    [made?.['kind'], made?.['op'], made?.['name'], made?.['before']],
    ['consumers', 'create', 'bob', null],
  );
  for (const n of [2, 3, 6]) assert.doesNotMatch(JSON.stringify(await diff(n)), /-secret/);
  const [changed] = await diff(3);
  assert.deepEqual([changed?.['op'], changed?.['fields']], ['update', ['key']]);
  const [updated] = await diff(5);
  assert.match(JSON.stringify(updated?.['fields']), /^\["healthchecks\.active\.timeout"/);
  assert.deepEqual(
    (await diff(6)).map(({ op }) => op),
    ['delete', 'delete'],
  );
});

test('what somebody may not do is refused before anything is done', async () => {
  await using admin = await startAdmin();
  await admin.call('POST', '/services', { name: 'theirs', host: 'h' });
  await admin.call('POST', '/services', { name: 'ours', host: 'h', tags: ['team-a'] });
  await admin.call('POST', '/consumers', { username: 'bob', tags: ['team-a'] });
  await admin.call('POST', '/consumers/bob/key-auth', { key: 'a-secret' });
  const lone = { op: 'patch', path: '/services/ours', entity: { retries: 2 } };
  const cases: ReadonlyArray<
    [who: Principal, method: string, path: string, sent: Json | undefined, status: number]
  > = [
    [READER, 'GET', '/services', undefined, 200],
    [READER, 'POST', '/services', { host: 'h' }, 403],
    [READER, 'POST', '/transactions', { writes: [] }, 403],
    [READER, 'POST', '/revisions/1/restore', undefined, 403],
    [SERVICES, 'PATCH', '/services/theirs', { retries: 1 }, 200],
    [SERVICES, 'PATCH', '/consumers/bob', { custom_id: 'c' }, 403],
    [SERVICES, 'POST', '/transactions', { writes: [lone, { op: 'delete', path: '/consumers/bob' }] }, 403],
    [TEAM, 'PATCH', '/services/theirs', { tags: ['team-a'] }, 403],
    [TEAM, 'DELETE', '/services/theirs', undefined, 403],
    [TEAM, 'PUT', '/services/ours', { host: 'h' }, 403],
    [TEAM, 'PATCH', '/services/ours', { tags: ['other'] }, 403],
    [TEAM, 'PATCH', '/services/ours', { retries: 3 }, 200],
    [TEAM, 'POST', '/services', { host: 'h' }, 403],
    [TEAM, 'POST', '/services', { host: 'h', tags: ['team-a', 'x'] }, 201],
    [TEAM, 'POST', '/transactions', { writes: [lone] }, 200],
    [TEAM, 'POST', '/transactions', { writes: [lone, { op: 'delete', path: '/services/theirs' }] }, 403],
  ];
  for (const [who, method, path, sent, status] of cases) {
    admin.as(who);
    const { revision } = admin.store;
    const answer = await admin.call(method, path, sent);
    assert.equal(answer.status, status, `${who.name} ${method} ${path} ${answer.text}`);
    if (status === 403) assert.equal(admin.store.revision, revision);
  }
  admin.as(READER);
  for (const path of [
    '/key-auths',
    '/consumers/bob/key-auth',
    '/key-auths/a-secret',
    '/consumers/bob/key-auth/a-secret',
  ]) {
    const { status, text } = await admin.call('GET', path);
    assert.equal(status, 200, text);
    assert.doesNotMatch(text, /a-secret/, path);
  }
  admin.as(ADMIN);
  assert.match((await admin.call('GET', '/key-auths')).text, /a-secret/);
});

test('a diff has pages', async () => {
  await using admin = await startAdmin();
  const writes = [1, 2, 3].map((n) => ({ op: 'create', path: '/consumers', entity: { username: `u${n}` } }));
  await admin.call('POST', '/transactions', { writes });
  const first = await admin.call('GET', '/revisions/1/diff?size=2');
  const second = await admin.call('GET', String(first.body['next']));
  assert.deepEqual([data(first.body).length, data(second.body).length, second.body['next']], [2, 1, null]);
});

test('back to a revision', async () => {
  await using admin = await startAdmin();
  await admin.call('POST', '/services', { name: 's', host: 'h' });
  await admin.call('DELETE', '/services/s');
  const dry = await admin.call('POST', '/revisions/1/restore?dry_run=1');
  assert.deepEqual([dry.status, dry.body['dry_run'], admin.store.revision], [200, true, 2], dry.text);
  const restored = await admin.call('POST', '/revisions/1/restore');
  assert.deepEqual([restored.status, restored.body], [200, { revision: 3, changes: 1 }]);
  assert.equal((await admin.call('GET', '/services/s')).status, 200);
  assert.equal((await admin.call('POST', '/revisions/9/restore')).status, 404);
});

const WRITES: readonly Json[] = [
  { op: 'create', kind: 'services', entity: { name: 's', host: 'h' } },
  { op: 'create', path: '/services/s/routes', entity: { name: 'r', paths: ['/a'] } },
  { op: 'put', path: '/consumers/bob', entity: {} },
  { op: 'create', path: '/consumers/bob/key-auth', entity: { key: 'k' } },
  { op: 'patch', kind: 'services', key: 's', entity: { retries: 1 } },
  { op: 'delete', path: '/routes/r' },
];

test('a transaction is one commit', async () => {
  for (const body of [{ message: 'all', writes: WRITES }, lines({ message: 'all' }, ...WRITES)]) {
    await using admin = await startAdmin();
    const headers = typeof body === 'string' ? NDJSON : {};
    const answer = await admin.call('POST', '/transactions?return=entities', body, headers);
    assert.equal(answer.status, 200, answer.text);
    const { entities, ...rest } = answer.body;
    assert.deepEqual(rest['writes'], { create: 3, put: 1, patch: 1, delete: 1 });
    assert.equal(rest['revision'], 1);
    assert.equal((entities as Json[])[0]?.['name'], 's');
    assert.equal((await admin.call('GET', '/services/s')).body['retries'], 1);
    assert.equal((await admin.call('GET', '/consumers/bob/key-auth/k')).status, 200);
    assert.equal((await admin.call('GET', '/revisions/1')).body['message'], 'all');
    const counts = await admin.call('POST', '/transactions?dry_run=1', { writes: WRITES.slice(-1) });
    assert.equal('entities' in counts.body, false);
  }
});

test('what is wrong with a transaction says which write it is, and nothing is kept', async () => {
  await using admin = await startAdmin();
  const [service] = WRITES;
  const cases: ReadonlyArray<[write: unknown, status: number, message: RegExp]> = [
    [{ op: 'create', kind: 'services', entity: {} }, 400, /host: required field missing/],
    [service, 409, /UNIQUE violation/],
    [{ op: 'patch', path: '/services/none', entity: {} }, 404, /could not find/],
    [{ op: 'delete', path: '/services/a%20b' }, 400, /only accepted ascii/],
    [{ op: 'upsert', kind: 'services', entity: {} }, 400, /'op' must be/],
    [{ op: 'create', kind: 'workspaces', entity: {} }, 400, /'kind' must be/],
    [{ op: 'create', kind: 'constructor', entity: {} }, 400, /'kind' must be/],
    [{ op: 'create', path: '/filter-chains', entity: {} }, 400, /there is no path/],
    [{ op: 'create', path: '/services/x', entity: {} }, 400, /names no entity/],
    [{ op: 'put', path: '/services', entity: {} }, 400, /which entity/],
    [{ op: 'put', kind: 'services', id: 'x', entity: {} }, 400, /UUID/],
    [{ op: 'put', path: '/consumers/bob/acls/x', entity: {} }, 400, /by its id/],
    [{ op: 'create', kind: 'services' }, 400, /'entity' must be an object/],
    [{ op: 'create', kind: 'services', entity: [], extra: 1 }, 400, /unknown field 'extra'/],
    [{ op: 'delete', kind: 'services', key: 's', entity: {} }, 400, /has no entity/],
    [[], 400, /expected an object/],
    [null, 400, /expected an object/],
  ];
  for (const [write, status, message] of cases) {
    for (const way of ['json', 'lines']) {
      const sent = way === 'json' ? { writes: [service, write] } : lines(service, write);
      const answer = await admin.call('POST', '/transactions', sent, way === 'json' ? {} : NDJSON);
      const what = `${way} ${JSON.stringify(write)}: ${answer.text}`;
      assert.equal(answer.status, status, what);
      assert.match(String(answer.body['message']), message, what);
      assert.equal(answer.body['index'], 1, what);
    }
  }
  assert.deepEqual([admin.store.revision, admin.store.count('services'), admin.errors], [0, 0, []]);
});

test('a transaction that is none', async () => {
  const settings = { nginx_admin_client_max_body_size: 1000, admin_transaction_max_body_size: 5000 };
  await using admin = await startAdmin({ settings });
  const cases: ReadonlyArray<[body: string, type: string, status: number]> = [
    ['[]', 'application/json', 400],
    ['{}', 'application/json', 400],
    ['{"writes":1}', 'application/json', 400],
    ['{"writes":[],"x":1}', 'application/json', 400],
    ['{"writes":[],"message":1}', 'application/json', 400],
    [`{"writes":[],"message":"${'x'.repeat(1000)}"}`, 'application/json', 413],
    ['{"message":"a","x":1}\n', 'application/x-ndjson', 400],
    ['{"op":"create"', 'application/x-ndjson', 400],
    [`${'x'.repeat(1001)}\n`, 'application/x-ndjson', 413],
    ['\n'.repeat(5001), 'application/x-ndjson', 413],
    ['a=1', 'application/x-www-form-urlencoded', 415],
  ];
  for (const [body, type, status] of cases) {
    const answer = await admin.call('POST', '/transactions', body, { 'content-type': type });
    assert.equal(answer.status, status, `${body.slice(0, 40)} ${answer.text}`);
  }
  assert.equal((await admin.call('POST', '/transactions')).status, 400);
  const empty = await admin.call('POST', '/transactions', '\r\n\n', NDJSON);
  assert.deepEqual([empty.status, admin.store.revision], [200, 0], empty.text);
  assert.deepEqual(admin.errors, []);
});

test('a large transaction is spooled, and one whose client goes changes nothing', async () => {
  await using admin = await startAdmin();
  const write = (n: number): Json => ({
    op: 'create',
    kind: 'consumers',
    entity: { username: `user-${n}`, tags: ['t'.repeat(900)] },
  });
  const many = lines({ message: 'many' }, ...Array.from({ length: 2000 }, (_, n) => write(n)));
  assert.ok(many.length > 1024 * 1024);
  const answer = await admin.call('POST', '/transactions', many.trimEnd(), NDJSON);
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual([answer.body['changes'], admin.store.count('consumers')], [2000, 2000]);

  const cut =
    'POST /transactions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n' +
    `Content-Length: 100000\r\n\r\n${lines(WRITES[0])}`;
  await admin.raw(cut).catch(() => null);
  assert.deepEqual([admin.store.revision, admin.store.count('services')], [1, 0]);
});

test('commits are told as they happen, from the one that was heard last', async () => {
  await using admin = await startAdmin();
  for (const name of ['a', 'b']) await admin.call('POST', '/services', { name, host: 'h' });
  const response = await fetch(`${admin.origin}/events`, { headers: { 'last-event-id': '1' } });
  assert.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8');
  const reader = (response.body ?? assert.fail()).pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  const until = async (wanted: RegExp): Promise<void> => {
    while (!wanted.test(text)) text += (await reader.read()).value ?? assert.fail(text);
  };
  await until(/id: 2\nevent: commit\ndata: \{"revision":2,.*\n\n/);
  assert.doesNotMatch(text, /id: 1\n/);
  await admin.call('DELETE', '/services/a');
  await until(/id: 3\nevent: commit\n/);
  await reader.cancel();
  assert.equal((await admin.call('HEAD', '/events')).status, 200);
  assert.equal((await admin.call('GET', '/events', undefined, { 'last-event-id': 'x' })).status, 400);
});

test('listeners are bounded, and those that have gone make room', async () => {
  await using admin = await startAdmin();
  const stop = new AbortController();
  const open = await Promise.all(
    Array.from({ length: 100 }, () => fetch(`${admin.origin}/events`, { signal: stop.signal })),
  );
  assert.ok(open.every(({ status }) => status === 200));
  assert.equal((await admin.call('GET', '/events')).status, 503);
  stop.abort();
  for (;;) {
    const again = new AbortController();
    const { status } = await fetch(`${admin.origin}/events`, { signal: again.signal });
    again.abort();
    if (status === 200) break;
  }
});

test('without a database reads work and writes are refused in its words', async () => {
  const readOnly = (store: ConfigStore): ConfigStore =>
    new Proxy(store, {
      get: (target, name) => (name === 'writable' ? false : Reflect.get(target, name, target)),
    });
  await using admin = await startAdmin({ wrap: readOnly });
  const author = { name: null, source: 'test', message: null };
  const input = { name: 's', host: 'h' };
  const { results } = await admin.store.commit([{ op: 'create', kind: 'services', input }], { author });
  const id = String(results[0]?.entity?.['id']);
  assert.equal((await admin.call('GET', '/services/s')).status, 200);
  const cases: ReadonlyArray<[method: string, path: string, message: string | null]> = [
    ['POST', '/services', "cannot create 'services' entities when not using a database"],
    ['PUT', `/services/${id}`, "cannot create or update 'services' entities when not using a database"],
    ['PUT', '/services/x', "cannot create or update 'services' entities by 'name' when not using a database"],
    ['PATCH', '/services/s', "cannot update 'services' entities by 'name' when not using a database"],
    ['DELETE', `/services/${id}`, "cannot remove 'services' entities when not using a database"],
    ['DELETE', '/services/s', "cannot remove 'services' entities by 'name' when not using a database"],
    ['POST', '/services/s/routes', "cannot create 'routes' entities when not using a database"],
    ['POST', '/transactions', 'cannot apply transactions when not using a database'],
    ['DELETE', '/services/none', null],
  ];
  for (const [method, path, message] of cases) {
    const { status, body } = await admin.call(method, path, method === 'DELETE' ? undefined : {});
    if (message === null) assert.equal(status, 204, path);
    else assert.deepEqual([status, body], [405, { code: 12, name: 'operation unsupported', message }], path);
  }
});

test('a store that is away, or that lost too many races', async () => {
  const failing = (error: Error) => (store: ConfigStore) =>
    new Proxy(store, {
      get: (target, name) =>
        name === 'commit' ? () => Promise.reject(error) : Reflect.get(target, name, target),
    });
  const cases: ReadonlyArray<[error: Error, status: number]> = [
    [new StoreUnavailable('connection refused'), 503],
    [new RevisionConflict(1, 2), 409],
    [new Error('secret'), 500],
  ];
  for (const [error, wanted] of cases) {
    await using admin = await startAdmin({ wrap: failing(error) });
    const { status, text } = await admin.call('POST', '/services', { host: 'h' });
    assert.equal(status, wanted);
    assert.doesNotMatch(text, /secret/);
    assert.equal((await admin.call('GET', '/services')).status, 200);
  }
  await using admin = await startAdmin({ wrap: () => null });
  assert.equal((await admin.call('GET', '/services')).status, 503);
});

test('a write to what is not there names the field by which it was looked for', async () => {
  await using admin = await startAdmin();
  const upstream = await admin.call('POST', '/upstreams', { name: 'u' });
  const id = String(upstream.body['id']);
  const missing = '00000000-0000-4000-8000-000000000000';
  const cases: ReadonlyArray<readonly [write: Json, message: string, fields: Json]> = [
    [
      { kind: 'services', id: missing },
      `could not find the entity with primary key '{id="${missing}"}'`,
      { id: missing },
    ],
    [{ kind: 'services', key: 'x' }, `could not find the entity with '{name="x"}'`, { name: 'x' }],
    [{ kind: 'consumers', key: 'x' }, `could not find the entity with '{username="x"}'`, { username: 'x' }],
    [
      { path: `/upstreams/${id}/targets/h:1` },
      `could not find the entity with '{target="h:1"}'`,
      { target: 'h:1' },
    ],
  ];
  for (const [write, message, fields] of cases) {
    const writes = [{ op: 'patch', entity: { tags: ['a'] }, ...write }];
    const { status, body } = await admin.call('POST', '/transactions', { writes });
    assert.deepEqual([status, body], [404, { code: 6, name: 'not found', message, fields, index: 0 }]);
  }
});

test('a large diff comes in pages', async () => {
  await using admin = await startAdmin();
  const writes = Array.from({ length: 25 }, (_, n) => ({
    op: 'create',
    kind: 'services',
    entity: { host: `h${n}` },
  }));
  await admin.call('POST', '/transactions', { writes });
  const ids: string[] = [];
  let path: string | null = '/revisions/1/diff?size=10';
  let pages = 0;
  while (path !== null) {
    const { status, body } = await admin.call('GET', path);
    assert.deepEqual([status, body['changes']], [200, 25]);
    ids.push(...data(body).map(({ id }) => String(id)));
    path = body['next'] as string | null;
    pages++;
  }
  assert.deepEqual([pages, new Set(ids).size], [3, 25]);
  const refused = await admin.call('GET', '/revisions/1/diff?offset=x');
  assert.deepEqual([refused.status, refused.body['code']], [400, 7]);
});
