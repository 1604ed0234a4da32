/** Entities over the Admin API: every kind, every method, and what is refused. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { EC_CA_CERT, RSA_CERT, RSA_KEY } from '../../../src/entities/pem.fixture.ts';
import { type AdminServer, type Json, startAdmin } from '../support/admin-server.ts';

const PEM = { pair: { cert: RSA_CERT, key: RSA_KEY }, authority: EC_CA_CERT };
const UNKNOWN = randomUUID();

async function make(admin: AdminServer, path: string, entity: Json): Promise<Json> {
  const { status, body, text } = await admin.call('POST', path, entity);
  assert.equal(status, 201, `${path}: ${text}`);
  return body;
}

interface Kind {
  readonly path: string;
  /** Made first; its id is `PARENT` in the paths and the entity. */
  readonly parent?: readonly [path: string, entity: Json];
  readonly entity: Json;
  readonly patch: Json;
  /** The endpoint key, where it has one. */
  readonly key?: string;
}

const consumer = ['/consumers', { username: 'bob' }] as const;

const KINDS: Readonly<Record<string, Kind>> = {
  services: { path: '/services', entity: { name: 'a', host: 'h' }, patch: { retries: 1 }, key: 'a' },
  routes: { path: '/routes', entity: { name: 'r', paths: ['/a'] }, patch: { strip_path: false }, key: 'r' },
  consumers: { path: '/consumers', entity: { username: 'bob' }, patch: { custom_id: 'c' }, key: 'bob' },
  certificates: { path: '/certificates', entity: PEM.pair, patch: { tags: ['a'] } },
  snis: {
    path: '/snis',
    parent: ['/certificates', PEM.pair],
    entity: { name: 'a.test', certificate: { id: 'PARENT' } },
    patch: { tags: ['x'] },
    key: 'a.test',
  },
  ca_certificates: { path: '/ca_certificates', entity: { cert: PEM.authority }, patch: { tags: ['x'] } },
  key_sets: { path: '/key-sets', entity: { name: 'k' }, patch: { tags: ['x'] }, key: 'k' },
  vaults: {
    path: '/vaults',
    entity: { name: 'env', prefix: 'my-env' },
    patch: { description: 'd' },
    key: 'my-env',
  },
  upstreams: { path: '/upstreams', entity: { name: 'u' }, patch: { slots: 100 }, key: 'u' },
  key_auths: {
    path: '/key-auths',
    parent: consumer,
    entity: { key: 'secret', consumer: { id: 'PARENT' } },
    patch: { tags: ['x'] },
    key: 'secret',
  },
  nested_key_auths: {
    path: '/consumers/PARENT/key-auth',
    parent: consumer,
    entity: { key: 'secret' },
    patch: { tags: ['x'] },
    key: 'secret',
  },
  basic_auths: {
    path: '/consumers/PARENT/basic-auth',
    parent: consumer,
    entity: { username: 'u', password: 'p' },
    patch: { tags: ['x'] },
    key: 'u',
  },
  jwts: {
    path: '/consumers/PARENT/jwt',
    parent: consumer,
    entity: { key: 'k' },
    patch: { tags: ['x'] },
    key: 'k',
  },
  hmac: {
    path: '/consumers/PARENT/hmac-auth',
    parent: consumer,
    entity: { username: 'u' },
    patch: { tags: ['x'] },
    key: 'u',
  },
  acls: {
    path: '/consumers/PARENT/acls',
    parent: consumer,
    entity: { group: 'g' },
    patch: { tags: ['x'] },
    key: 'g',
  },
  oauth2: {
    path: '/consumers/PARENT/oauth2',
    parent: consumer,
    entity: { name: 'n', client_id: 'c' },
    patch: { tags: ['x'] },
    key: 'c',
  },
  nested_routes: {
    path: '/services/PARENT/routes',
    parent: ['/services', { name: 's', host: 'h' }],
    entity: { name: 'r', paths: ['/a'] },
    patch: { regex_priority: 1 },
    key: 'r',
  },
  targets: {
    path: '/upstreams/PARENT/targets',
    parent: ['/upstreams', { name: 'u' }],
    entity: { target: 'h:80' },
    patch: { weight: 0 },
    key: 'h:80',
  },
};

test('every kind is made, listed, read, changed, replaced and removed', async () => {
  for (const [name, kind] of Object.entries(KINDS)) {
    await using admin = await startAdmin();
    const parent = kind.parent === undefined ? '' : String((await make(admin, ...kind.parent))['id']);
    const path = kind.path.replace('PARENT', parent);
    const sent = JSON.parse(JSON.stringify(kind.entity).replace('PARENT', parent)) as Json;
    const made = await make(admin, path, sent);
    const id = String(made['id']);
    const list = await admin.call('GET', path);
    assert.deepEqual([list.status, list.body], [200, { data: [made], next: null }], name);
    for (const segment of kind.key === undefined ? [id] : [id, kind.key]) {
      const one = `${path}/${encodeURIComponent(segment)}`;
      const { body: now } = await admin.call('GET', `${path}/${id}`);
      assert.deepEqual((await admin.call('GET', one)).body, now, `${name} ${one}`);
      assert.equal((await admin.call('GET', `${one}/`)).status, 200);
      const head = await admin.call('HEAD', one);
      assert.deepEqual([head.status, head.text], [200, ''], name);
      const patched = await admin.call('PATCH', one, kind.patch);
      assert.equal(patched.status, 200, `${name} ${patched.text}`);
      for (const [field, value] of Object.entries(kind.patch))
        assert.deepEqual(patched.body[field], value, name);
      const put = await admin.call('PUT', one, sent);
      assert.equal(put.status, 200, `${name} ${put.text}`);
      assert.equal(put.body['id'], id, name);
      assert.equal((await admin.call('POST', one, sent)).status, 405, name);
    }
    const again = await admin.call('DELETE', `${path}/${id}`);
    assert.deepEqual([again.status, again.text, again.headers.get('content-type')], [204, '', null], name);
    const { status, body } = await admin.call('GET', `${path}/${id}`);
    // Kong answers a certificate by its error of the store.
    const wanted = name === 'certificates' ? /^could not find/ : /^Not found$/;
    assert.equal(status, 404);
    assert.match(String(body['message']), wanted, name);
    assert.deepEqual((await admin.call('GET', path)).body, { data: [], next: null }, name);
    assert.deepEqual(admin.errors, [], name);
  }
});

test('OPTIONS and methods that are not there', async () => {
  await using admin = await startAdmin();
  const cases: ReadonlyArray<[path: string, allow: string, wrong: string]> = [
    ['/services', 'GET, HEAD, OPTIONS, POST', 'DELETE'],
    ['/services/x', 'DELETE, GET, HEAD, OPTIONS, PATCH, PUT', 'POST'],
    ['/services/x/routes', 'GET, HEAD, OPTIONS, POST', 'PATCH'],
    ['/routes/x/service', 'DELETE, GET, HEAD, OPTIONS, PATCH, PUT', 'POST'],
    ['/upstreams/x/targets/all', 'GET, HEAD, OPTIONS', 'PUT'],
    ['/transactions', 'OPTIONS, POST', 'GET'],
  ];
  for (const [path, allow, wrong] of cases) {
    const options = await admin.call('OPTIONS', path);
    assert.deepEqual([options.status, options.headers.get('allow')], [204, allow], path);
    assert.equal(options.headers.get('access-control-allow-methods'), allow);
    assert.equal(options.headers.get('access-control-allow-headers'), 'Content-Type');
    const refused = await admin.call(wrong, path);
    assert.deepEqual([refused.status, refused.body], [405, { message: 'Method not allowed' }], path);
  }
});

const NOT_FOUND = { message: 'Not found' };

test('what is not there is answered as Kong answers it', async () => {
  await using admin = await startAdmin();
  await make(admin, '/consumers', { username: 'bob' });
  await make(admin, '/routes', { name: 'r', paths: ['/a'] });
  const cases: ReadonlyArray<[method: string, path: string, status: number, body: unknown, sent?: Json]> = [
    ['GET', `/services/${UNKNOWN}`, 404, NOT_FOUND],
    ['GET', '/services/none', 404, NOT_FOUND],
    ['DELETE', '/services/none', 204, {}],
    ['GET', '/services/none/routes', 404, NOT_FOUND],
    ['POST', '/services/none/routes', 404, NOT_FOUND, {}],
    ['GET', '/consumers/bob/acls/none', 404, NOT_FOUND],
    ['DELETE', '/consumers/bob/key-auth/none', 404, NOT_FOUND],
    ['GET', '/routes/r/service', 404, NOT_FOUND],
    ['PATCH', '/routes/r/service', 404, NOT_FOUND, {}],
    ['DELETE', '/routes/r/service', 404, NOT_FOUND],
    ['GET', '/certificates/none.test', 404, { message: 'SNI not found' }],
    ['GET', '/snis/a/certificate', 404, NOT_FOUND],
    ['GET', '/targets', 404, NOT_FOUND],
    ['GET', '/workspaces', 404, NOT_FOUND],
    ['PATCH', '/plugins/none', 404, NOT_FOUND, { enabled: false }],
    ['GET', '/filter-chains', 400, { message: 'this endpoint is only available when wasm is enabled' }],
    [
      'PUT',
      '/routes/r/filter-chains/x',
      400,
      { message: 'this endpoint is only available when wasm is enabled' },
      {},
    ],
  ];
  for (const [method, path, status, body, sent] of cases) {
    const answer = await admin.call(method, path, sent);
    assert.deepEqual([answer.status, answer.body], [status, body], `${method} ${path}`);
  }
  const patched = await admin.call('PATCH', '/services/none', {});
  assert.equal(patched.status, 404);
  assert.deepEqual(patched.body, {
    code: 6,
    name: 'not found',
    message: `could not find the entity with '{name="none"}'`,
    fields: { name: 'none' },
  });
  assert.equal((await admin.call('PATCH', `/services/${UNKNOWN}`, {})).body['code'], 6);
});

test('names that no entity can have', async () => {
  await using admin = await startAdmin();
  const name = await admin.call('GET', '/services/a%20b');
  assert.equal(name.status, 400);
  assert.deepEqual(name.body, {
    code: 10,
    name: 'invalid unique name',
    message: "invalid value 'a b': the only accepted ascii characters are alphanumerics or ., -, _, and ~",
  });
  const id = await admin.call('GET', '/ca_certificates/x');
  assert.deepEqual(id.body, {
    code: 1,
    name: 'invalid primary key',
    message: `invalid primary key: '{id="expected a valid UUID"}'`,
    fields: { id: 'expected a valid UUID' },
  });
  assert.equal((await admin.call('GET', '/services/%ff')).status, 400);
  assert.equal((await admin.call('GET', '/services/a%00b')).status, 400);
  assert.deepEqual(admin.errors, []);
});

test('names are percent-decoded once', async () => {
  await using admin = await startAdmin();
  for (const username of ['a/b', 'ü', '100%', '%2F', 'a b', '日本', '__proto__', 'constructor', '..']) {
    const made = await make(admin, '/consumers', { username });
    if (username === '..') continue;
    const found = await admin.call('GET', `/consumers/${encodeURIComponent(username)}`);
    assert.deepEqual(found.body, made, username);
  }
});

test('the entity that a field refers to', async () => {
  await using admin = await startAdmin();
  const service = await make(admin, '/services', { name: 's', host: 'h' });
  await make(admin, '/routes', { name: 'r', paths: ['/a'], service: { name: 's' } });
  assert.deepEqual((await admin.call('GET', '/routes/r/service')).body, service);
  const patched = await admin.call('PATCH', '/routes/r/service', { retries: 1 });
  assert.deepEqual([patched.status, patched.body['id'], patched.body['retries']], [200, service['id'], 1]);
  const put = await admin.call('PUT', '/routes/r/service', { host: 'other' });
  assert.deepEqual([put.status, put.body['id'], put.body['host']], [200, service['id'], 'other']);
  const gone = await admin.call('DELETE', '/routes/r/service');
  assert.deepEqual([gone.status, gone.body], [405, { message: 'Method not allowed' }]);

  await make(admin, '/routes', { name: 'free', paths: ['/b'] });
  const { revision } = admin.store;
  const made = await admin.call('PUT', '/routes/free/service', { name: 'new', host: 'n' });
  assert.equal(made.status, 200, made.text);
  assert.equal(admin.store.revision, revision + 1);
  assert.deepEqual((await admin.call('GET', '/routes/free')).body['service'], { id: made.body['id'] });
});

test('an entity of another parent is not there', async () => {
  await using admin = await startAdmin();
  for (const name of ['a', 'b']) {
    await make(admin, '/services', { name, host: 'h' });
    await make(admin, `/services/${name}/routes`, { name: `of-${name}`, paths: [`/${name}`] });
  }
  for (const [method, body] of [['GET'], ['PATCH', {}], ['PUT', { paths: ['/x'] }], ['DELETE']] as const) {
    const answer = await admin.call(method, '/services/a/routes/of-b', body);
    assert.deepEqual([answer.status, answer.body], [404, NOT_FOUND], method);
  }
  assert.equal((await admin.call('GET', '/services/b/routes/of-b')).status, 200);
});

test('certificates go by their SNIs', async () => {
  await using admin = await startAdmin();
  const made = await make(admin, '/certificates', { ...PEM.pair, snis: ['b.test', 'a.test'] });
  assert.deepEqual(made['snis'], ['a.test', 'b.test']);
  assert.deepEqual((await admin.call('GET', '/certificates/a.test')).body, made);
  assert.equal((await admin.call('GET', '/certificates/a.test/snis')).body['next'], null);
  const put = await admin.call('PUT', '/certificates/new.test', PEM.pair);
  assert.deepEqual([put.status, put.body['snis']], [200, ['new.test']]);
  const patched = await admin.call('PATCH', '/certificates/new.test', { snis: 'other.test' });
  assert.deepEqual(patched.body['snis'], ['other.test']);
  assert.equal((await admin.call('DELETE', '/certificates/a.test')).status, 204);
  assert.equal((await admin.call('DELETE', '/certificates/a.test')).status, 404);
});

test('a group is put by its name', async () => {
  await using admin = await startAdmin();
  await make(admin, '/consumers', { username: 'bob' });
  const put = await admin.call('PUT', '/consumers/bob/acls/admins', {});
  assert.deepEqual([put.status, put.body['group']], [200, 'admins'], put.text);
  assert.equal((await admin.call('GET', '/consumers/bob/acls/admins')).body['id'], put.body['id']);
  assert.equal((await admin.call('GET', '/acls/admins')).body['code'], 1);
});

test('PUT replaces, PATCH merges', async () => {
  await using admin = await startAdmin();
  await make(admin, '/services', { name: 's', host: 'h', retries: 1, tags: ['a'] });
  assert.deepEqual((await admin.call('PATCH', '/services/s', { tags: null })).body['tags'], null);
  const put = await admin.call('PUT', '/services/s', { host: 'x' });
  assert.deepEqual([put.body['name'], put.body['retries'], put.body['host']], ['s', 5, 'x']);
  const made = await admin.call('PUT', '/services/new', { host: 'x' });
  assert.deepEqual([made.status, made.body['name']], [200, 'new']);
});

test("the store's refusals are Kong's objects with their status", async () => {
  await using admin = await startAdmin();
  await make(admin, '/services', { name: 's', host: 'h' });
  await make(admin, '/services/s/routes', { paths: ['/a'] });
  const cases: ReadonlyArray<
    [method: string, path: string, sent: Json | undefined, status: number, code: number]
  > = [
    ['POST', '/services', {}, 400, 2],
    ['POST', '/services', { name: 's', host: 'h' }, 409, 5],
    ['DELETE', '/services/s', undefined, 400, 4],
    ['POST', '/routes', { paths: ['/a'], service: { id: UNKNOWN } }, 400, 4],
    ['POST', '/routes', { paths: ['/a'], service: { name: 'none' } }, 400, 13],
    ['PATCH', '/services/s', { retries: 'x' }, 400, 2],
    ['PUT', '/services/s', { unknown: 1, host: 'h' }, 400, 2],
    ['PATCH', '/routes/none', {}, 404, 6],
  ];
  const { revision } = admin.store;
  for (const [method, path, sent, status, code] of cases) {
    const answer = await admin.call(method, path, sent);
    assert.deepEqual(
      [answer.status, answer.body['code']],
      [status, code],
      `${method} ${path} ${answer.text}`,
    );
  }
  assert.equal(admin.store.revision, revision);
  const violation = await admin.call('POST', '/services', {});
  assert.deepEqual(violation.body, {
    code: 2,
    name: 'schema violation',
    message: 'schema violation (host: required field missing)',
    fields: { host: 'required field missing' },
  });
});
