/** key-auth through sockets. Facts: Kong 3.9's plugin and its tests. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type PlaneOptions, startPlane } from '../support/data-plane.ts';
import { ask, type Question, startMirror, testId } from './support.ts';

const ANNA = testId(10);
const NOBODY = testId(11);
const KEY = testId(20);
const ROUTE = { id: '22222222-2222-4222-8222-222222222222' };

function consumer(id: string, username: string, custom: string | null = null): object {
  return { id, username, custom_id: custom, tags: null, created_at: 1, updated_at: 1 };
}
function credential(id: string, key: string, ttl: number | null = null): object {
  return { id, consumer: { id: ANNA }, key, created_at: 1, tags: null, ttl };
}
const now = Math.floor(Date.now() / 1000);
const ENTITIES = [
  { kind: 'consumers', entity: consumer(ANNA, 'anna', 'c-1') },
  { kind: 'consumers', entity: consumer(NOBODY, 'nobody') },
  { kind: 'keyauth_credentials', entity: credential(KEY, 'secret') },
  { kind: 'keyauth_credentials', entity: credential(testId(21), 'expired', now - 1) },
  { kind: 'keyauth_credentials', entity: credential(testId(22), 'living', now + 3600) },
  { kind: 'keyauth_credentials', entity: credential(testId(23), 'schlüssel') },
] as PlaneOptions['entities'] & object;

const FORM = 'Content-Type: application/x-www-form-urlencoded';
const JSON_TYPE = 'Content-Type: application/json';
const MULTIPART = 'Content-Type: multipart/form-data; boundary=b';
const multipart = (name: string, value: string): string =>
  `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n--b--\r\n`;

const NONE = 'No API key found in request';
const TWO = 'Duplicate API key found';
const UNKNOWN = 'Unauthorized';

type Case = readonly [what: string, question: Question, message: string | null];

const CREDENTIALS: readonly Case[] = [
  ['no key', {}, NONE],
  ['an empty key', { headers: ['apikey:'] }, NONE],
  ['an empty key stops the search', { target: '/?apikey=secret', headers: ['apikey:'] }, NONE],
  ['an argument without value', { target: '/?apikey' }, NONE],
  ['an unknown key', { headers: ['apikey: other'] }, UNKNOWN],
  ['a key in other case', { headers: ['apikey: SECRET'] }, UNKNOWN],
  ['a key with more behind it', { headers: ['apikey: secret secret'] }, UNKNOWN],
  ['two keys', { headers: ['apikey: secret', 'apikey: secret'] }, TWO],
  ['two keys, one empty', { headers: ['apikey: secret', 'ApiKey:'] }, TWO],
  ['two keys in the query', { target: '/?apikey=secret&apikey=secret' }, TWO],
  ['a huge key', { headers: [`apikey: ${'k'.repeat(5000)}`] }, UNKNOWN],
  ['a key in Latin-1', { headers: ['apikey: schl\u00fcssel'] }, null],
  ['a key in UTF-8', { headers: ['apikey: schl\u00c3\u00bcssel'] }, null],
  ['bytes that are no text', { headers: ['apikey: \u00ff\u00fe\u0080'] }, UNKNOWN],
  ['a bad escape', { target: '/?apikey=%zz' }, UNKNOWN],
  ['an escaped NUL', { target: '/?apikey=secret%00' }, UNKNOWN],
  ['a key whose time is over', { headers: ['apikey: expired'] }, UNKNOWN],
  ['a key whose time is not over', { headers: ['apikey: living'] }, null],
  ['a key in a header', { headers: ['ApiKey: secret'] }, null],
  ['a key in the query', { target: '/?a=1&apikey=secret' }, null],
  ['an escaped key in the query', { target: '/?%61pikey=s%65cret' }, null],
  ['the header comes first', { target: '/?apikey=other', headers: ['apikey: secret'] }, null],
  ['no key in the body unless asked for', { headers: [FORM], body: 'apikey=secret' }, NONE],
];

test('credentials of all sorts; the upstream is told who it is', async () => {
  await using upstream = await startMirror();
  await using plane = await startPlane(upstream.port, {
    entities: ENTITIES,
    plugins: [{ name: 'key-auth' }],
  });
  for (const [what, question, message] of CREDENTIALS) {
    const answer = await ask(plane.port, question);
    assert.equal(answer.message, message, what);
    assert.equal(answer.status, message === null ? 200 : 401, what);
    assert.equal(answer.header('www-authenticate'), message === null ? null : 'Key', what);
    if (message === null) assert.equal(answer.got.headers['x-consumer-username'], 'anna', what);
  }
  const { got } = await ask(plane.port, { headers: ['apikey: secret'] });
  assert.equal(got.headers['x-consumer-id'], ANNA);
  assert.equal(got.headers['x-consumer-custom-id'], 'c-1');
  assert.equal(got.headers['x-credential-identifier'], KEY);
  assert.equal(got.headers['x-anonymous-consumer'], undefined);
  assert.equal(got.headers['apikey'], 'secret');
});

const BODIES: readonly Case[] = [
  ['a form', { headers: [FORM], body: 'a=1&apikey=secret' }, null],
  ['a form in chunks', { headers: [FORM], body: 'a=1&apikey=secret', chunked: true }, null],
  ['JSON', { headers: [JSON_TYPE], body: '{"apikey":"secret"}' }, null],
  ['a multipart form', { headers: [MULTIPART], body: multipart('apikey', 'secret') }, null],
  ['the query before it', { target: '/?apikey=secret', headers: [JSON_TYPE], body: '{"apikey":"x"}' }, null],
  ['unknown in it', { headers: [FORM], body: 'apikey=123' }, UNKNOWN],
  ['two in a form', { headers: [FORM], body: 'apikey=secret&apikey=secret' }, TWO],
  ['two in JSON', { headers: [JSON_TYPE], body: '{"apikey":["secret","secret"]}' }, TWO],
  ['twice in JSON', { headers: [JSON_TYPE], body: '{"apikey":"x","apikey":"secret"}' }, TWO],
  [
    'twice in a multipart form',
    {
      headers: [MULTIPART],
      body: multipart('apikey', 'x').replace('--b--\r\n', multipart('apikey', 'secret')),
    },
    TWO,
  ],
  ['other names', { headers: [FORM], body: 'apikey[]=secret&apikey[1]=secret' }, NONE],
  ['a number in JSON', { headers: [JSON_TYPE], body: '{"apikey":7}' }, NONE],
  ['broken JSON', { headers: [JSON_TYPE], body: '{"apikey":"secret"' }, NONE],
  [
    'JSON in another charset',
    { headers: [JSON_TYPE], body: Buffer.from('{"apikey":"secret"}', 'utf16le') },
    NONE,
  ],
  ['another type', { headers: ['Content-Type: text/plain'], body: 'apikey=secret' }, NONE],
  ['no type', { body: 'apikey=secret' }, NONE],
  ['no body', { headers: [FORM] }, NONE],
  ['too large', { headers: [FORM], body: `a=${'x'.repeat(1 << 20)}&apikey=secret` }, NONE],
];

test('key_in_body', async () => {
  await using upstream = await startMirror();
  const plugin = { name: 'key-auth', config: { key_in_body: true, realm: 'a "b" ü' } };
  await using plane = await startPlane(upstream.port, { entities: ENTITIES, plugins: [plugin] });
  for (const [what, question, message] of BODIES) {
    const answer = await ask(plane.port, question);
    assert.equal(answer.message, message, what);
    assert.equal(answer.status, message === null ? 200 : 401, what);
    if (message !== null) {
      assert.equal(answer.header('www-authenticate'), 'Key realm="a \\"b\\" \u00c3\u00bc"', what);
      continue;
    }
    assert.equal(answer.got.headers['x-consumer-id'], ANNA, what);
    assert.equal(answer.got.body, String(question.body), what);
  }
  const big = { headers: [FORM], body: `a=${'x'.repeat(1 << 20)}&apikey=secret`, chunked: true };
  assert.equal((await ask(plane.port, big)).status, 413);
  // A key in the head: the body is nobody's business, however large.
  const { status, got } = await ask(plane.port, { ...big, target: '/?apikey=secret' });
  assert.equal(status, 200);
  assert.equal(got.body.length, big.body.length);
});

test('hide_credentials: header, query and body, and nothing else', async () => {
  await using upstream = await startMirror();
  const config = { hide_credentials: true, key_in_body: true, key_names: ['api_key', 'apikey'] };
  await using plane = await startPlane(upstream.port, {
    entities: ENTITIES,
    plugins: [{ name: 'key-auth', config }],
  });
  const cases: ReadonlyArray<readonly [question: Question, url: string, body: string]> = [
    [{ headers: ['apikey: secret'] }, '/', ''],
    [{ headers: ['api_key: secret'] }, '/', ''],
    [{ headers: ['API-Key: secret'] }, '/', ''],
    [{ target: '/a?c=1&api%6Bey=secret&b=%7e&a=' }, '/a?c=1&b=%7e&a=', ''],
    [{ target: '/a?apikey=secret' }, '/a', ''],
    [{ target: '/a?apikey=x', headers: ['apikey: secret'] }, '/a', ''],
    [{ headers: [FORM], body: 'apikey=secret&foo=bar%20' }, '/', 'foo=bar%20'],
    [{ headers: [FORM], body: 'foo=1&apikey=secret', chunked: true }, '/', 'foo=1'],
    [{ headers: [JSON_TYPE], body: '{"n": 1.0, "apikey":"secret"}' }, '/', '{"n": 1.0}'],
    [{ headers: [MULTIPART], body: multipart('apikey', 'secret') }, '/', '--b--\r\n'],
    [{ headers: [JSON_TYPE, 'apikey: secret'], body: '{"apikey":"x","n":1}' }, '/', '{"n":1}'],
    [{ headers: [FORM, 'apikey: secret'], body: 'foo=1&apikey=x', chunked: true }, '/', 'foo=1'],
    [{ headers: ['Content-Type: text/plain', 'apikey: secret'], body: 'apikey=x' }, '/', 'apikey=x'],
  ];
  for (const [question, url, body] of cases) {
    const { status, got } = await ask(plane.port, question);
    const what = JSON.stringify(question);
    assert.equal(status, 200, what);
    assert.equal(got.url, url, what);
    assert.equal(got.body, body, what);
    assert.equal(got.headers['apikey'], undefined, what);
    assert.equal(got.headers['api_key'], undefined, what);
    assert.equal(got.headers['api-key'], undefined, what);
    if (body !== '' && question.chunked !== true)
      assert.equal(got.headers['content-length'], String(body.length), what);
  }
});

/** Each of header, query and body: the right key, a wrong one, none. The first place that is read and has one decides. */
test('where keys are looked for: every combination', async () => {
  await using upstream = await startMirror();
  const values = ['secret', 'wrong', null];
  for (let places = 0; places < 8; places++) {
    const [header, query, body] = [(places & 1) > 0, (places & 2) > 0, (places & 4) > 0];
    const config = { key_in_header: header, key_in_query: query, key_in_body: body };
    await using plane = await startPlane(upstream.port, {
      entities: ENTITIES,
      plugins: [{ name: 'key-auth', config }],
    });
    for (const inHeader of values) {
      for (const inQuery of values) {
        for (const inBody of values) {
          const found = (header ? inHeader : null) ?? (query ? inQuery : null) ?? (body ? inBody : null);
          const { status } = await ask(plane.port, {
            target: inQuery === null ? '/' : `/?apikey=${inQuery}`,
            headers: [FORM, ...(inHeader === null ? [] : [`apikey: ${inHeader}`])],
            body: inBody === null ? '' : `apikey=${inBody}`,
          });
          const what = JSON.stringify({ config, inHeader, inQuery, inBody });
          assert.equal(status, found === 'secret' ? 200 : 401, what);
        }
      }
    }
  }
});

test('run_on_preflight', async () => {
  await using upstream = await startMirror();
  for (const runs of [true, false]) {
    const plugin = { name: 'key-auth', config: { run_on_preflight: runs } };
    await using plane = await startPlane(upstream.port, { entities: ENTITIES, plugins: [plugin] });
    const spoofed = ['X-Consumer-ID: me', 'x_consumer_id: me', 'X-Consumer-Groups: admin'];
    const { status, got } = await ask(plane.port, { method: 'OPTIONS', headers: spoofed });
    assert.equal(status, runs ? 401 : 200);
    if (runs) continue;
    assert.deepEqual(
      Object.keys(got.headers).filter((name) => /consumer/.test(name)),
      [],
    );
    assert.equal((await ask(plane.port)).status, 401);
  }
});

const SPOOFED = [
  'X-Consumer-ID: spoofed',
  'x-consumer-id: spoofed',
  'X-Consumer-Custom-ID: spoofed',
  'X-Consumer-Username: spoofed',
  'X-Credential-Identifier: spoofed',
  'X-Anonymous-Consumer: spoofed',
  'X-Consumer-Groups: spoofed',
  'X-Authenticated-Groups: spoofed',
  'X_Consumer_ID: spoofed',
  'x_consumer-id: spoofed',
  'x_consumer_groups: spoofed',
];

test('anonymous: by id or user name; what a client claims goes no further', async () => {
  await using upstream = await startMirror();
  for (const anonymous of [NOBODY, 'nobody']) {
    const plugin = { name: 'key-auth', config: { anonymous } };
    await using plane = await startPlane(upstream.port, { entities: ENTITIES, plugins: [plugin] });
    for (const headers of [[], ['apikey: wrong'], ['apikey: secret', 'apikey: secret'], ['apikey: secret']]) {
      const { status, got } = await ask(plane.port, { headers: [...SPOOFED, ...headers] });
      assert.equal(status, 200);
      const known = headers.length === 1 && headers[0] === 'apikey: secret';
      assert.equal(got.headers['x-consumer-id'], known ? ANNA : NOBODY);
      assert.equal(got.headers['x-consumer-username'], known ? 'anna' : 'nobody');
      assert.equal(got.headers['x-consumer-custom-id'], known ? 'c-1' : undefined);
      assert.equal(got.headers['x-anonymous-consumer'], known ? undefined : 'true');
      assert.equal(got.headers['x-credential-identifier'], known ? KEY : undefined);
      assert.doesNotMatch(JSON.stringify(got.headers), /spoofed/);
    }
  }
});

test('an anonymous consumer that does not exist is a fault of ours, and nobody is let in', async () => {
  await using upstream = await startMirror();
  const plugin = { name: 'key-auth', config: { anonymous: testId(99) } };
  await using plane = await startPlane(upstream.port, { entities: ENTITIES, plugins: [plugin] });
  const { status, message } = await ask(plane.port);
  assert.equal(status, 500);
  assert.equal(message, `anonymous consumer ${testId(99)} is configured but doesn't exist`);
  assert.equal((await ask(plane.port, { headers: ['apikey: secret'] })).status, 200);
});

test('names beyond ASCII, and line breaks in them, reach the upstream as header values', async () => {
  await using upstream = await startMirror();
  const id = testId(12);
  const entities = [
    { kind: 'consumers', entity: consumer(id, 'jürgen\r\nX-Admin: 1') },
    { kind: 'keyauth_credentials', entity: { ...credential(testId(24), 'k'), consumer: { id } } },
  ] as typeof ENTITIES;
  await using plane = await startPlane(upstream.port, {
    entities,
    plugins: [{ name: 'key-auth', route: ROUTE }],
  });
  const { status, got } = await ask(plane.port, { headers: ['apikey: k'] });
  assert.equal(status, 200);
  const value = String(got.headers['x-consumer-username']);
  assert.equal(Buffer.from(value, 'latin1').toString(), 'jürgen%0D%0AX-Admin: 1');
  assert.equal(got.headers['x-admin'], undefined);
});
