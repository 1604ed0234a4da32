/** Resources behind oauth2. Facts: Kong 3.9's plugin and its tests, RFC 6750. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { hashSecret } from '../../src/lib/secret-hash.ts';
import { startEcho } from '../support/upstream.ts';
import { ANNA, APP, ENTITIES, KEY, type Oauth2Plane, startOauth2 } from './support/oauth2.ts';

const CLIENT = { client_id: 'app', client_secret: 'app-secret' };

async function tokenFor(oauth2: Oauth2Plane, user = 'user 1\r\nX: é'): Promise<string> {
  const form = { ...CLIENT, grant_type: 'password', provision_key: KEY, authenticated_userid: user };
  const { body } = await oauth2.token({ ...form, scope: 'email' });
  assert.equal(typeof body.access_token, 'string', JSON.stringify(body));
  return body.access_token;
}

const MISSING = { error: 'invalid_request', error_description: 'The access token is missing' };
const INVALID = { error: 'invalid_token', error_description: 'The access token is invalid or has expired' };
const TOLD = 'Bearer error="invalid_token" error_description="The access token is invalid or has expired"';

test('who shows a token is let in, and the upstream is told who it is', async () => {
  await using upstream = await startEcho();
  await using oauth2 = await startOauth2(upstream.port);
  const token = await tokenFor(oauth2);
  const refused: ReadonlyArray<readonly [headers: string, target: string, body: object, told: string]> = [
    ['', '/', MISSING, 'Bearer'],
    ['', '/?access_token=', MISSING, 'Bearer'],
    ['Authorization: \r\n', '/', MISSING, 'Bearer'],
    ['', `/?access_token=${token}&access_token=${token}`, MISSING, 'Bearer'],
    ['Authorization: Bearer x\r\n', '/', INVALID, TOLD],
    ['Authorization: Basic YTpi\r\n', '/', INVALID, TOLD],
    [`Authorization: Bearer ${token} x\r\n`, '/', INVALID, TOLD],
    [`Authorization: Bearer ${'x'.repeat(4000)}\r\n`, '/', INVALID, TOLD],
    ['Authorization: Bearer \xff\xfe\r\n', '/', INVALID, TOLD],
    ['', `/?access_token=${token}x`, INVALID, TOLD],
  ];
  for (const [headers, target, body, told] of refused) {
    const answer = await oauth2.get(headers, target);
    assert.deepEqual([answer.status, answer.body], [401, body], headers + target);
    assert.equal(answer.header('www-authenticate'), told, headers + target);
  }
  const shown: ReadonlyArray<readonly [headers: string, target: string]> = [
    [`Authorization: Bearer ${token}\r\n`, '/'],
    [`Authorization: bEARER   ${token}\r\n`, '/'],
    [`Authorization: token ${token}\r\n`, '/'],
    [`Authorization: ${token}\r\n`, '/'],
    ['', `/?access_token=${token}`],
  ];
  for (const [headers, target] of shown) {
    const spoofed = 'X-Consumer-ID: evil\r\nX-Authenticated-UserId: evil\r\nX-Authenticated-Scope: all\r\n';
    const { status, body } = await oauth2.get(headers + spoofed, target);
    assert.equal(status, 200, headers + target);
    const echo = body;
    assert.equal(echo.headers['x-consumer-id'], ANNA);
    assert.equal(echo.headers['x-consumer-custom-id'], 'c-1');
    assert.equal(echo.headers['x-credential-identifier'], 'app');
    assert.equal(echo.headers['x-authenticated-scope'], 'email');
    const user = Buffer.from(String(echo.headers['x-authenticated-userid']), 'latin1').toString();
    assert.equal(user, 'user 1%0D%0AX: é');
  }
});

function post(target: string, type: string, body: string): string {
  return `POST ${target} HTTP/1.1\r\nHost: a\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

test('hide_credentials: the upstream sees no token, and the rest as it was', async () => {
  await using upstream = await startEcho();
  await using oauth2 = await startOauth2(upstream.port, { hide_credentials: true });
  const token = await tokenFor(oauth2);
  const header = await oauth2.get(`Authorization: Bearer ${token}\r\n`, '/?a=1');
  assert.equal(header.body.headers.authorization, undefined);
  const bare = await oauth2.get(`Authorization: ${token}\r\n`);
  assert.deepEqual([bare.status, bare.body.headers.authorization], [200, undefined]);
  const query = await oauth2.get('', `/?a=%20x&access_token=${token}&b`);
  assert.equal(query.body.url, '/?a=%20x&b');
  const type = 'application/x-www-form-urlencoded';
  const form = await oauth2.send(post('/', type, `a=1+2&access_token=${token}&b=3`));
  assert.equal(form.body.bodySha256, sha256('a=1+2&b=3'));
  const json = JSON.stringify({ access_token: token, a: 1 });
  const kept = await oauth2.send(post('/', 'application/json', json));
  assert.equal(kept.body.bodySha256, sha256(json));
  await using open = await startOauth2(upstream.port);
  const shown = await tokenFor(open);
  assert.equal((await open.get('', `/?access_token=${shown}`)).body.url, `/?access_token=${shown}`);
});

test('realm, another header, expiry, and what was revoked a moment ago', async () => {
  await using upstream = await startEcho();
  await using oauth2 = await startOauth2(upstream.port, { realm: 'a "b"', auth_header_name: 'x-token' });
  const token = await tokenFor(oauth2);
  const answer = await oauth2.get(`Authorization: Bearer ${token}\r\n`);
  assert.equal(answer.header('www-authenticate'), String.raw`Bearer realm="a \"b\""`);
  assert.equal((await oauth2.get(`X-Token: Bearer ${token}\r\n`)).status, 200);
  const { value, key } = oauth2.records.last.get('oauth2_tokens') ?? assert.fail();
  const unique = { access_token: 'old' };
  const created_at = Math.floor(Date.now() / 1000) - 7202;
  await oauth2.records.put('oauth2_tokens', { key: 'k', value: { ...value, created_at }, unique });
  assert.deepEqual((await oauth2.get('X-Token: Bearer old\r\n')).body, INVALID);
  const forever = { ...value, created_at, expires_in: 0 };
  await oauth2.records.put('oauth2_tokens', { key: 'k', value: forever, unique });
  assert.equal((await oauth2.get('X-Token: Bearer old\r\n')).status, 200);
  await oauth2.records.delete('oauth2_tokens', key);
  assert.deepEqual((await oauth2.get(`X-Token: Bearer ${token}\r\n`)).body, INVALID);
  oauth2.plane.directory.remove('oauth2_credentials', APP);
  assert.deepEqual((await oauth2.get('X-Token: Bearer old\r\n')).body, INVALID);
});

test('a token is for its service, unless both are global', async () => {
  await using upstream = await startEcho();
  await using local = await startOauth2(upstream.port);
  await using global = await startOauth2(upstream.port, { global_credentials: true });
  const token = await tokenFor(local);
  await tokenFor(global);
  const { value } = global.records.last.get('oauth2_tokens') ?? assert.fail();
  assert.equal(value['service'], null);
  await local.records.put('oauth2_tokens', { key: 'g', value, unique: { access_token: 'global' } });
  assert.equal(
    (await local.get('Authorization: Bearer global\r\n')).body.error_description,
    "The access token is global, but the current plugin is configured without 'global_credentials'",
  );
  const elsewhere = { ...local.records.last.get('oauth2_tokens')?.value, service: { id: APP } };
  for (const oauth2 of [local, global]) {
    await oauth2.records.put('oauth2_tokens', { key: 'e', value: elsewhere, unique: { access_token: 'e' } });
    assert.deepEqual((await oauth2.get('Authorization: Bearer e\r\n')).body, INVALID);
  }
  assert.equal((await local.get(`Authorization: Bearer ${token}\r\n`)).status, 200);
});

test('anonymous: who shows no good token is somebody else', async () => {
  await using upstream = await startEcho();
  await using oauth2 = await startOauth2(upstream.port, { anonymous: 'anna' });
  const spoofed = 'X-Authenticated-UserId: evil\r\nAuthorization: Bearer x\r\n';
  const { status, body } = await oauth2.get(spoofed);
  assert.equal(status, 200);
  assert.equal(body.headers['x-anonymous-consumer'], 'true');
  assert.equal(body.headers['x-authenticated-userid'], undefined);
  const known = await oauth2.get(`Authorization: Bearer ${await tokenFor(oauth2)}\r\n`);
  assert.equal(known.body.headers['x-anonymous-consumer'], undefined);
  await using nobody = await startOauth2(upstream.port, { anonymous: 'who' });
  const failed = await nobody.get();
  assert.deepEqual(
    [failed.status, failed.body.message],
    [500, "anonymous consumer who is configured but doesn't exist"],
  );
});

/** Kong's own, of its tests: PBKDF2 of `tofu`. */
const KONG =
  '$pbkdf2-sha512$i=10000,l=32$YSBsaXR0ZSBiaXQsIGp1c3QgYSBsaXR0bGUgYml0$z6ysNworexAhDELywIDi0ba0B0T7F/MBZ6Ige9lWRYI';

test("a hashed secret is verified, also with Kong's hash", async () => {
  await using upstream = await startEcho();
  for (const [stored, right] of [
    [await hashSecret('app-secret'), 'app-secret'],
    [KONG, 'tofu'],
    [KONG.replace('i=10000', 'i=9999999'), null],
    [KONG.replace('l=32', 'l=31'), null],
    ['$pbkdf2-md5$i=1,l=1$YQ$YQ', null],
  ] as const) {
    const entities = ENTITIES.map((row) =>
      'client_id' in row.entity && row.entity.client_id === 'app'
        ? { kind: row.kind, entity: { ...row.entity, hash_secret: true, client_secret: stored } }
        : row,
    );
    await using oauth2 = await startOauth2(upstream.port, {}, { entities: entities as never });
    for (const secret of ['tofu', 'app-secret', 'x', stored, '']) {
      const form = { client_id: 'app', client_secret: secret, grant_type: 'client_credentials' };
      const { status } = await oauth2.token(form);
      assert.equal(status, secret === right ? 200 : 400, `${stored}: ${secret}`);
    }
  }
});
