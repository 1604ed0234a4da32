/** basic-auth through sockets. Facts: Kong 3.9's plugin and its tests, RFC 7617. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { hashSecret, unknownSecretHash } from '../../src/lib/secret-hash.ts';
import { startPlane, type PlaneOptions } from '../support/data-plane.ts';
import { ask, type Question, startMirror, testId } from './support.ts';

const BOB = testId(10);
const NOBODY = testId(11);

function row(kind: string, entity: object): NonNullable<PlaneOptions['entities']>[number] {
  return { kind, entity: { tags: null, created_at: 1, ...entity } };
}
function sha1(password: string): string {
  return createHash('sha1')
    .update(password + BOB)
    .digest('hex');
}
function user(n: number, username: string, password: string): ReturnType<typeof row> {
  return row('basicauth_credentials', { id: testId(n), consumer: { id: BOB }, username, password });
}
const ENTITIES = [
  row('consumers', { id: BOB, username: 'bob', custom_id: null, updated_at: 1 }),
  row('consumers', { id: NOBODY, username: 'nobody', custom_id: null, updated_at: 1 }),
  user(20, 'bob', sha1('kong')),
  user(21, 'user321', sha1('password:123')),
  user(22, 'strong', await hashSecret('pass:wörd')),
  user(23, 'jürgen', await hashSecret('geheim')),
  user(24, 'broken', 'kong'),
  user(
    25,
    'greedy',
    '$argon2id$v=19$m=9999999,t=9999,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4',
  ),
];

function basic(text: string | Buffer): string {
  return `Basic ${Buffer.from(text as Buffer).toString('base64')}`;
}
const one = (value: string): Question => ({ headers: [`Authorization: ${value}`] });

const CASES: ReadonlyArray<readonly [what: string, question: Question, identifier: string | null]> = [
  ['nothing', {}, null],
  ['another scheme', one('Bearer abc'), null],
  ['no scheme', one('foobar'), null],
  ['an empty header', one(''), null],
  ['the scheme alone', one('Basic '), null],
  ['a password alone', one('Basic a29uZw=='), null],
  ['a name alone', one('Basic Ym9i'), null],
  ['a wrong number of digits', one('Basic adXNlcjEyMzpwYXNzd29yZDEyMw=='), null],
  ['other characters', one('Basic Ym9i.mtvbmc='), null],
  ['padding in the middle', one('Basic Ym9i=Omtvbmc='), null],
  ['two tokens', one('Basic Ym9iOmtvbmc= Ym9iOmtvbmc='), null],
  ['the other alphabet', one(basic('bob:\u00ff\u00fe').replaceAll('+', '-').replaceAll('/', '_')), null],
  ['an empty name', one(basic(':kong')), null],
  ['an empty password', one(basic('bob:')), null],
  ['a wrong password', one(basic('bob:Kong')), null],
  ['the stored form', one(basic(`bob:${sha1('kong')}`)), null],
  ['a password with more behind it', one(basic('bob:kong\n')), null],
  ['an unknown user', one(basic('alice:kong')), null],
  ['a name that is no UTF-8', one(basic(Buffer.from('jürgen:geheim', 'latin1'))), null],
  ['a password that is no UTF-8', one(basic(Buffer.from('strong:pass:wörd', 'latin1'))), null],
  ['a huge password', one(basic(`strong:${'x'.repeat(4000)}`)), null],
  ['a stored text of another form', one(basic('broken:kong')), null],
  ['a stored hash that asks for too much', one(basic('greedy:password')), null],
  [
    'two lines',
    { headers: [`Authorization: ${basic('bob:kong')}`, `Authorization: ${basic('bob:kong')}`] },
    null,
  ],
  [
    'two lines, one wrong',
    { headers: [`Authorization: ${basic('bob:kong')}`, 'Authorization: Bearer x'] },
    null,
  ],
  ['SHA-1', one(basic('bob:kong')), 'bob'],
  ['without padding', one('Basic Ym9iOmtvbmc'), 'bob'],
  ['in another case', one(`bASIC   ${basic('bob:kong').slice(6)}`), 'bob'],
  ['a colon in the password', one(basic('user321:password:123')), 'user321'],
  ['argon2id', one(basic('strong:pass:wörd')), 'strong'],
  ['argon2id, remembered', one(basic('strong:pass:wörd')), 'strong'],
  ['a name beyond ASCII', one(basic('jürgen:geheim')), 'jürgen'],
  ['Proxy-Authorization', { headers: [`Proxy-Authorization: ${basic('bob:kong')}`] }, 'bob'],
  [
    'Proxy-Authorization first',
    { headers: [`Authorization: ${basic('strong:pass:wörd')}`, `Proxy-Authorization: ${basic('bob:kong')}`] },
    'bob',
  ],
  [
    'a wrong password there decides',
    { headers: [`Authorization: ${basic('strong:pass:wörd')}`, `Proxy-Authorization: ${basic('bob:x')}`] },
    null,
  ],
  [
    'an unknown user there does not',
    { headers: [`Authorization: ${basic('bob:kong')}`, `Proxy-Authorization: ${basic('alice:x')}`] },
    'bob',
  ],
  [
    'another scheme there does not',
    { headers: [`Authorization: ${basic('bob:kong')}`, 'Proxy-Authorization: foobar'] },
    'bob',
  ],
];

test('credentials of all sorts', async () => {
  await using upstream = await startMirror();
  await using plane = await startPlane(upstream.port, {
    entities: ENTITIES,
    plugins: [{ name: 'basic-auth' }],
  });
  for (const [what, question, identifier] of CASES) {
    const answer = await ask(plane.port, question);
    assert.equal(answer.status, identifier === null ? 401 : 200, what);
    if (identifier === null) {
      assert.equal(answer.message, 'Unauthorized', what);
      assert.equal(answer.header('www-authenticate'), 'Basic realm="service"', what);
      continue;
    }
    const { headers } = answer.got;
    assert.equal(
      Buffer.from(String(headers['x-credential-identifier']), 'latin1').toString(),
      identifier,
      what,
    );
    assert.equal(headers['x-consumer-username'], 'bob', what);
    assert.equal(headers['x-consumer-id'], BOB, what);
  }
});

test('hide_credentials and realm', async () => {
  await using upstream = await startMirror();
  const both = [`Authorization: ${basic('strong:x')}`, `Proxy-Authorization: ${basic('bob:kong')}`];
  for (const hide of [false, true]) {
    const plugin = { name: 'basic-auth', config: { hide_credentials: hide, realm: 'of "mine"' } };
    await using plane = await startPlane(upstream.port, { entities: ENTITIES, plugins: [plugin] });
    const { got } = await ask(plane.port, one(basic('bob:kong')));
    assert.equal(got.headers['authorization'], hide ? undefined : basic('bob:kong'));
    const other = await ask(plane.port, { headers: both });
    assert.equal(other.got.headers['proxy-authorization'], hide ? undefined : basic('bob:kong'));
    assert.equal((await ask(plane.port)).header('www-authenticate'), 'Basic realm="of \\"mine\\""');
  }
});

test('anonymous', async () => {
  await using upstream = await startMirror();
  for (const anonymous of [NOBODY, 'nobody', testId(99)]) {
    const plugin = { name: 'basic-auth', config: { anonymous } };
    await using plane = await startPlane(upstream.port, { entities: ENTITIES, plugins: [plugin] });
    for (const question of [{}, one(basic('bob:x')), one(basic('strong:x'))]) {
      const { status, message, got } = await ask(plane.port, question);
      if (anonymous === testId(99)) {
        assert.equal(status, 500);
        assert.equal(message, `anonymous consumer ${anonymous} is configured but doesn't exist`);
        continue;
      }
      assert.equal(got.headers['x-consumer-username'], 'nobody');
      assert.equal(got.headers['x-anonymous-consumer'], 'true');
      assert.equal(got.headers['x-credential-identifier'], undefined);
    }
    const { got } = await ask(plane.port, one(basic('strong:pass:wörd')));
    assert.equal(got.headers['x-consumer-username'], 'bob');
    assert.equal(got.headers['x-anonymous-consumer'], undefined);
  }
});

test('what is remembered is of no use when the credential goes, or its password changes', async () => {
  await using upstream = await startMirror();
  await using plane = await startPlane(upstream.port, {
    entities: ENTITIES,
    plugins: [{ name: 'basic-auth' }],
  });
  const status = async (password: string): Promise<number> =>
    (await ask(plane.port, one(basic(`strong:${password}`)))).status;
  const [, , , , { entity: strong } = { entity: {} }] = ENTITIES;
  assert.equal(await status('pass:wörd'), 200);
  plane.directory.put('basicauth_credentials', { ...strong, password: await hashSecret('new') });
  assert.equal(await status('pass:wörd'), 401);
  assert.equal(await status('new'), 200);
  plane.directory.remove('basicauth_credentials', testId(22));
  assert.equal(await status('new'), 401);
  // The same again: what was remembered of its row is true.
  plane.directory.put('basicauth_credentials', strong);
  assert.equal(await status('pass:wörd'), 200);
  plane.directory.remove('basicauth_credentials', testId(22));
  plane.directory.put('basicauth_credentials', { ...strong, id: testId(30), password: unknownSecretHash() });
  assert.equal(await status('pass:wörd'), 401);
  plane.directory.remove('consumers', BOB);
  assert.equal((await ask(plane.port, one(basic('bob:kong')))).status, 401);
});

/** Several times as slow as others. */
const SLOW = '$argon2id$v=19$m=65536,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4';

test('more guesses than may wait are told to come back, and who is known already does not wait', async () => {
  await using upstream = await startMirror();
  const entities = [...ENTITIES, user(26, 'slow', SLOW)];
  await using plane = await startPlane(upstream.port, { entities, plugins: [{ name: 'basic-auth' }] });
  const known = one(basic('strong:pass:wörd'));
  assert.equal((await ask(plane.port, known)).status, 200);
  const guesses = Array.from({ length: 40 }, (_, n) => ask(plane.port, one(basic(`slow:guess ${n}`))));
  const [first] = await Promise.all([
    Promise.any(
      guesses.map(async (guess) => ((await guess).status === 503 ? guess : Promise.reject(new Error()))),
    ),
    // Of Kong's form: that does not wait for the others either.
    ask(plane.port, one(basic('bob:kong'))).then(({ status }) => assert.equal(status, 200)),
  ]);
  assert.equal(first.header('retry-after'), '1');
  assert.equal(first.message, 'Too many passwords wait to be verified');
  assert.equal((await ask(plane.port, known)).status, 200);
  for (const { status } of await Promise.all(guesses)) assert.ok(status === 503 || status === 401);
});
