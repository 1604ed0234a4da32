/** oauth2 with storage `redis`: gateways that share nothing else, against a real server that also goes away. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { rawRequest } from '../support/raw-client.ts';
import { startRedis } from '../support/redis.ts';
import { startEcho } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';
import { logOf } from './support/log.ts';
import { type Fields, KEY, type Oauth2Plane, startOauth2 } from './support/oauth2.ts';

const CLIENT = { client_id: 'app', client_secret: 'app-secret' };
const NO_DATABASE = { settings: { database: 'off' } };

function inRedis(port: number, more: object = {}): object {
  return { storage: 'redis', redis: { host: '127.0.0.1', port, timeout: 5000 }, ...more };
}

const bearer = (token: string): string => `Authorization: Bearer ${token}\r\n`;
const redeem = (code: string): Fields => ({ ...CLIENT, grant_type: 'authorization_code', code });
const refresh = (token: string): Fields => ({ ...CLIENT, grant_type: 'refresh_token', refresh_token: token });

const LOGGED = { settings: { database: 'off', proxy_error_log: 'logs/error.log' } };

/** Statuses of all, sorted. */
async function each(attempts: ReadonlyArray<Promise<{ readonly status: number }>>): Promise<number[]> {
  return (await Promise.all(attempts)).map(({ status }) => status).toSorted((a, b) => a - b);
}

const ONE_OF_TEN = [200, ...Array.from({ length: 9 }, () => 400)];

function twice(planes: readonly Oauth2Plane[], form: Fields): Array<ReturnType<Oauth2Plane['token']>> {
  return Array.from({ length: 10 }, (_, n) => (planes[n % planes.length] ?? assert.fail()).token(form));
}

test('a code is good once and a refresh token is replaced once, whichever gateway is asked', async () => {
  await using upstream = await startEcho();
  await using redis = await startRedis();
  await using a = await startOauth2(upstream.port, inRedis(redis.port), NO_DATABASE);
  await using b = await startOauth2(upstream.port, inRedis(redis.port), NO_DATABASE);
  const code = await a.code();
  assert.deepEqual(await each(twice([a, b], redeem(code))), ONE_OF_TEN);
  assert.equal((await b.token(redeem(code))).body.error, 'invalid_request');

  const { body: first } = await b.token(redeem(await a.code()));
  for (const plane of [a, b]) {
    const { status, body } = await plane.get(bearer(first.access_token));
    assert.equal(status, 200);
    assert.equal(body.headers['x-consumer-username'], 'anna');
    assert.equal(body.headers['x-authenticated-userid'], 'user-1');
    assert.equal(body.headers['x-authenticated-scope'], 'email');
  }
  const answers = await Promise.all(twice([a, b], refresh(first.refresh_token)));
  assert.deepEqual(
    answers.map(({ status }) => status).toSorted((x, y) => x - y),
    ONE_OF_TEN,
  );
  for (const plane of [a, b]) assert.equal((await plane.get(bearer(first.access_token))).status, 401);
  const second = answers.find(({ status }) => status === 200)?.body ?? assert.fail();
  for (const plane of [a, b]) assert.equal((await plane.get(bearer(second.access_token))).status, 200);
});

test('no code and no token is in the server, and all have their end', async () => {
  await using upstream = await startEcho();
  await using redis = await startRedis();
  const config = inRedis(redis.port, { token_expiration: 50, refresh_token_ttl: 100 });
  await using oauth2 = await startOauth2(upstream.port, config, NO_DATABASE);
  const code = await oauth2.code();
  const { body } = await oauth2.token(redeem(await oauth2.code()));
  const alone = await oauth2.token({ ...CLIENT, grant_type: 'client_credentials', scope: 'email' });
  const keys = [...(await redis.ask('KEYS', '*')).matchAll(/sluice:\S+/g)].map(([key]) => key);
  assert.equal(keys.length, 2 + 3 + 2, keys.join('\n'));
  let all = keys.join('\n');
  for (const key of keys) {
    all += await redis.ask(key.includes(':record:') ? 'HGETALL' : 'GET', key);
    const left = Number((await redis.ask('PTTL', key)).slice(1));
    const most = key.includes('codes') ? 300_000 : 100_000;
    assert.ok(left > 0 && left <= most, `${key}: ${left}`);
  }
  for (const secret of [code, body.access_token, body.refresh_token, alone.body.access_token]) {
    assert.ok(secret.length > 20 && !all.includes(secret));
  }
  for (const key of keys) await redis.ask('PEXPIRE', key, '0');
  assert.equal((await oauth2.token(redeem(code))).status, 400);
  assert.equal((await oauth2.token(refresh(body.refresh_token))).status, 400);
  assert.equal((await oauth2.get(bearer(body.access_token))).status, 401);
});

test('a refresh token that stays gives one access token after another, and ends the one before', async () => {
  await using upstream = await startEcho();
  await using redis = await startRedis();
  const config = inRedis(redis.port, { reuse_refresh_token: true });
  await using oauth2 = await startOauth2(upstream.port, config, NO_DATABASE);
  const { body: first } = await oauth2.token(redeem(await oauth2.code()));
  const { body: second } = await oauth2.token(refresh(first.refresh_token));
  assert.equal(second.refresh_token, first.refresh_token);
  assert.equal((await oauth2.get(bearer(first.access_token))).status, 401);
  assert.equal((await oauth2.get(bearer(second.access_token))).status, 200);
  const { status, body: third } = await oauth2.token(refresh(first.refresh_token));
  assert.equal(status, 200);
  assert.equal((await oauth2.get(bearer(third.access_token))).status, 200);
});

test('without the server there is no answer but 503, at once, and with it there is again', async () => {
  await using upstream = await startEcho();
  await using redis = await startRedis({ password: 'secret' });
  const place = { host: '127.0.0.1', port: redis.port, password: 'secret' };
  const config = { storage: 'redis', redis: place };
  await using oauth2 = await startOauth2(upstream.port, config, NO_DATABASE);
  const client = { ...CLIENT, grant_type: 'client_credentials', scope: 'email' };
  const { body } = await oauth2.token(client);
  assert.equal((await oauth2.get(bearer(body.access_token))).status, 200);
  await redis.kill();
  const unavailable = async (): Promise<boolean> =>
    (await oauth2.get(bearer(body.access_token))).status === 503;
  await waitFor(unavailable, { what: 'the server to be missed' });
  assert.equal((await oauth2.token(client)).status, 503);
  assert.equal(
    (
      await oauth2.authorize({
        provision_key: KEY,
        authenticated_userid: 'u',
        response_type: 'code',
        client_id: 'app',
        scope: 'email',
      })
    ).status,
    503,
  );
  assert.equal((await oauth2.get('')).status, 401, 'who shows nothing needs no server');
  await redis.start();
  await waitFor(async () => (await oauth2.token(client)).status === 200, {
    what: 'the server to be used again',
  });
  assert.equal((await oauth2.get(bearer(body.access_token))).status, 401, 'what it held is gone');
});

test('a wrong password is 503 with the reason in the log, and no secret', async () => {
  await using upstream = await startEcho();
  await using redis = await startRedis({ password: 'secret' });
  const place = { host: '127.0.0.1', port: redis.port, password: 'wrong-password' };
  await using oauth2 = await startOauth2(upstream.port, { storage: 'redis', redis: place }, LOGGED);
  assert.equal((await oauth2.get(bearer('x'))).status, 503);
  const log = await logOf(oauth2.plane, /WRONGPASS/);
  assert.ok(!log.includes('wrong-password'));
});

test('two whole gateways without a database, two workers each, share tokens', async () => {
  await using upstream = await startEcho();
  await using redis = await startRedis();
  const config = {
    _format_version: '3.0',
    consumers: [{ username: 'anna' }],
    oauth2_credentials: [{ consumer: 'anna', name: 'app', ...CLIENT }],
    services: [
      { name: 's', url: `http://127.0.0.1:${upstream.port}`, routes: [{ name: 'r', paths: ['/'] }] },
    ],
    plugins: [
      {
        name: 'oauth2',
        service: 's',
        config: {
          ...inRedis(redis.port),
          provision_key: KEY,
          enable_client_credentials: true,
          accept_http_if_already_terminated: true,
        },
      },
    ],
  };
  const settings = { nginx_worker_processes: 2, trusted_ips: '127.0.0.0/8' };
  await using a = await startGateway({ config, settings });
  await using b = await startGateway({ config, settings });
  const form = 'grant_type=client_credentials&client_id=app&client_secret=app-secret';
  const { responses } = await rawRequest(
    a.proxyPort,
    `POST /oauth2/token HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n` +
      `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${form.length}\r\n\r\n${form}`,
  );
  const { access_token: token } = JSON.parse(responses[0]?.text() ?? '{}') as { access_token: string };
  assert.equal(typeof token, 'string');
  for (const { proxyPort } of [a, b]) {
    const one = async (shown: string): Promise<{ status: number }> => {
      const request = `GET / HTTP/1.1\r\nHost: a\r\n${bearer(shown)}Connection: close\r\n\r\n`;
      return { status: (await rawRequest(proxyPort, request)).responses[0]?.status ?? 0 };
    };
    const all = Array.from({ length: 12 }, () => one(token));
    assert.deepEqual(new Set(await each(all)), new Set([200]));
    assert.deepEqual(await each([one(`${token}x`)]), [401]);
  }
});
