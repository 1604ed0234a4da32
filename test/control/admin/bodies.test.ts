/** Bodies of writes over real HTTP: forms, multipart, and what is no body of ours. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RSA_CERT, RSA_KEY } from '../../../src/entities/pem.fixture.ts';
import { startAdmin } from '../support/admin-server.ts';

const FORM = 'application/x-www-form-urlencoded';
const JSON_TYPE = 'application/json';

test('forms are typed by the entity', async () => {
  await using admin = await startAdmin();
  const service = await admin.form(
    'POST',
    '/services',
    'name=s&url=http://h:81/p&retries=3&tags[]=a&tags[]=b',
  );
  assert.equal(service.status, 201, service.text);
  const { host, port, path, retries, tags } = service.body;
  assert.deepEqual(
    { host, port, path, retries, tags },
    { host: 'h', port: 81, path: '/p', retries: 3, tags: ['a', 'b'] },
  );
  const route = await admin.form(
    'POST',
    '/routes',
    'service.name=s&paths=/a&methods=GET&methods=PUT&strip_path=false&headers[x-a][]=1&headers.y=2',
  );
  assert.equal(route.status, 201, route.text);
  assert.deepEqual(route.body['headers'], { 'x-a': ['1'], y: ['2'] });
  assert.deepEqual(
    [route.body['paths'], route.body['methods'], route.body['strip_path']],
    [['/a'], ['GET', 'PUT'], false],
  );
  const patched = await admin.form('PATCH', '/services/s', 'tags=&path=');
  assert.deepEqual([patched.status, patched.body['tags'], patched.body['path']], [200, null, null]);
  const vault = await admin.form('PUT', '/vaults/my-env', 'name=env&config.prefix=A_');
  assert.deepEqual([vault.status, vault.body['config']], [200, { prefix: 'A_' }], vault.text);
  const merged = await admin.form('PATCH', '/vaults/my-env', 'config.prefix=');
  assert.deepEqual([merged.status, merged.body['config']], [200, { prefix: null }], merged.text);
});

test('arguments of the query are no values', async () => {
  await using admin = await startAdmin();
  const answer = await admin.form('POST', '/services?retries=9&unknown=1', 'name=s&host=h');
  assert.deepEqual([answer.status, answer.body['retries']], [201, 5]);
});

test('multipart: fields and files', async () => {
  await using admin = await startAdmin();
  const form = new FormData();
  form.set('cert', new Blob([RSA_CERT]), 'cert.pem');
  form.set('key', RSA_KEY);
  form.append('snis', 'a.test');
  form.append('snis', 'b.test');
  const { status, body, text } = await admin.call('POST', '/certificates', form);
  assert.equal(status, 201, text);
  assert.deepEqual(body['snis'], ['a.test', 'b.test']);
});

test('bodies that are none', async () => {
  await using admin = await startAdmin({ settings: { nginx_admin_client_max_body_size: 100_000 } });
  const cannot = { message: 'Cannot parse JSON body' };
  const deep = `{"config":${'['.repeat(20_000)}${']'.repeat(20_000)}}`;
  const cases: ReadonlyArray<
    [body: string | Uint8Array<ArrayBuffer>, type: string, status: number, answer: unknown]
  > = [
    ['', JSON_TYPE, 400, cannot],
    ['{"name":', JSON_TYPE, 400, cannot],
    ['[]', JSON_TYPE, 400, cannot],
    ['null', JSON_TYPE, 400, cannot],
    ['"x"', JSON_TYPE, 400, cannot],
    [deep, JSON_TYPE, 400, cannot],
    ['{"name":"\\udc00"}', JSON_TYPE, 400, cannot],
    [new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), JSON_TYPE, 400, cannot],
    ['{}', 'application/json; charset=iso-8859-1', 415, {}],
    ['{}', 'text/plain', 415, {}],
    ['a: 1', 'application/yaml', 415, {}],
    ['name=%ff', FORM, 400, { message: 'the body is not UTF-8' }],
    [new Uint8Array([0x61, 0x3d, 0xff]), FORM, 400, { message: 'the body is not UTF-8' }],
    ['a=1&'.repeat(1001), FORM, 400, { message: 'Too many arguments' }],
    ['nothing', 'multipart/form-data; boundary=x', 400, { message: 'Cannot parse multipart body' }],
    ['nothing', 'multipart/form-data', 400, { message: 'Cannot parse multipart body' }],
    ['x'.repeat(100_001), JSON_TYPE, 413, { message: 'Payload too large' }],
  ];
  for (const [body, type, status, answer] of cases) {
    const found = await admin.call('POST', '/services', body, { 'content-type': type });
    const what = `${type} ${String(body).slice(0, 30)}`;
    assert.deepEqual([found.status, found.body], [status, answer], what);
    if (status === 415) assert.equal(found.text, '', what);
  }
  assert.deepEqual(admin.errors, []);
  assert.equal(admin.store.revision, 0);
});

test('without a type', async () => {
  await using admin = await startAdmin();
  const nothing = await admin.call('POST', '/services');
  assert.deepEqual([nothing.status, nothing.body['code']], [400, 2]);
  const untyped = await admin.call('POST', '/services', new Uint8Array([0x7b, 0x7d]));
  assert.equal(untyped.status, 415);
  const two = await admin.raw(
    'POST /services HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Type: text/plain\r\n' +
      'Content-Length: 2\r\nConnection: close\r\n\r\n{}',
  );
  assert.equal(two.status, 400);
  assert.match(two.text, /Multiple Content-Type headers not allowed/);
});

test('prototype names are names', async () => {
  await using admin = await startAdmin();
  for (const body of [
    '{"__proto__":{"host":"h"}}',
    '{"constructor":{"x":1},"host":"h"}',
    '{"host":{"__proto__":1}}',
  ]) {
    const { status, body: answer } = await admin.call('POST', '/services', body, {
      'content-type': JSON_TYPE,
    });
    assert.deepEqual([status, answer['code']], [400, 2], body);
  }
  const form = await admin.form('POST', '/services', '__proto__.host=h&constructor.prototype.x=1&toString=1');
  assert.deepEqual([form.status, form.body['code']], [400, 2]);
  assert.equal(({} as Record<string, unknown>)['host'], undefined);
  const route = await admin.call('POST', '/routes', '{"paths":["/a"],"headers":{"__proto__":["1"]}}', {
    'content-type': JSON_TYPE,
  });
  assert.deepEqual(Object.keys(route.body['headers'] as object), ['__proto__'], route.text);
  assert.deepEqual(admin.errors, []);
});

test('wrong types in every field are refused with a schema violation, never with an internal error', async () => {
  await using admin = await startAdmin();
  const odd = [
    null,
    true,
    0,
    -1,
    1e300,
    '',
    '\u0000',
    'x'.repeat(10_000),
    [],
    [null],
    [[]],
    {},
    { a: 1 },
    '\u202e',
    '💥',
  ];
  const paths = [
    '/services',
    '/routes',
    '/consumers',
    '/upstreams',
    '/plugins',
    '/certificates',
    '/keys',
    '/vaults',
  ];
  for (const path of [
    ...paths,
    '/key-auths',
    '/basic-auths',
    '/jwts',
    '/acls',
    '/oauth2',
    '/snis',
    '/ca_certificates',
  ]) {
    const kind = path.slice(1);
    for (const field of [
      'id',
      'name',
      'tags',
      'created_at',
      'config',
      'protocols',
      'service',
      'consumer',
      'host',
    ]) {
      for (const value of odd) {
        const { status, text } = await admin.call('POST', path, { [field]: value });
        assert.ok(
          [201, 400].includes(status),
          `${kind} ${field} ${JSON.stringify(value).slice(0, 50)}: ${text}`,
        );
      }
    }
  }
  assert.deepEqual(admin.errors, []);
});
