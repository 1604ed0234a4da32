/** oauth2 on a whole gateway: two workers, a real store, the Admin API. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { rawRequest } from '../support/raw-client.ts';
import { startEcho } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';
import { answerBody, type AnswerBody } from './support/body.ts';

type Json = AnswerBody & {
  readonly id: string;
  readonly client_secret: string;
  readonly config: { readonly provision_key: string };
  readonly data: ReadonlyArray<Readonly<Record<string, unknown>>>;
};

async function admin(gateway: Gateway, method: string, path: string, body?: object): Promise<Json> {
  const response = await fetch(gateway.adminUrl + path, {
    method,
    headers: { 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  assert.ok(response.ok || response.status === 404, `${method} ${path}: ${response.status}`);
  const text = await response.text();
  return answerBody(text) as Json;
}

/** On a connection of its own, so that any worker may get it. */
async function send(gateway: Gateway, request: string): Promise<{ status: number; body: Json }> {
  const { responses } = await rawRequest(gateway.proxyPort, request);
  const text = responses[0]?.text() ?? '';
  return { status: responses[0]?.status ?? 0, body: answerBody(text) as Json };
}

function post(gateway: Gateway, path: string, form: Record<string, string>): ReturnType<typeof send> {
  const body = new URLSearchParams(form).toString();
  return send(
    gateway,
    `POST ${path} HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n` +
      `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
}

const get = (gateway: Gateway, token: string): ReturnType<typeof send> =>
  send(gateway, `GET /x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`);

const CLIENT = { client_id: 'app', client_secret: 'app-secret' };

test('codes and tokens in the store: one winner among workers, and revocation on all of them', async () => {
  await using upstream = await startEcho();
  const settings = { database: 'sqlite', nginx_worker_processes: 2, trusted_ips: '127.0.0.0/8' };
  await using gateway = await startGateway({ settings });
  const url = `http://127.0.0.1:${upstream.port}`;
  const service = await admin(gateway, 'POST', '/services', { name: 's', url });
  await admin(gateway, 'POST', '/services/s/routes', { paths: ['/'] });
  const config = {
    enable_authorization_code: true,
    enable_client_credentials: true,
    accept_http_if_already_terminated: true,
  };
  const plugin = await admin(gateway, 'POST', '/services/s/plugins', { name: 'oauth2', config });
  const { provision_key } = plugin.config;
  assert.match(provision_key, /^[A-Za-z0-9]{32}$/);
  await admin(gateway, 'POST', '/consumers', { username: 'anna' });
  const client = { name: 'app', ...CLIENT, redirect_uris: ['https://app.test/'], hash_secret: true };
  const credential = await admin(gateway, 'POST', '/consumers/anna/oauth2', client);
  assert.match(credential.client_secret, /^\$argon2id\$/);
  const wanted = { provision_key, authenticated_userid: 'u', response_type: 'code', client_id: 'app' };
  await waitFor(async () => (await post(gateway, '/oauth2/authorize', wanted)).status === 200);

  const { body } = await post(gateway, '/oauth2/authorize', wanted);
  const code = new URL(body.redirect_uri).searchParams.get('code') ?? '';
  const redeem = { ...CLIENT, grant_type: 'authorization_code', code };
  const answers = await Promise.all(Array.from({ length: 12 }, () => post(gateway, '/oauth2/token', redeem)));
  assert.deepEqual(
    answers.map(({ status }) => status).toSorted((a, b) => a - b),
    [200, ...Array.from({ length: 11 }, () => 400)],
  );
  const token = answers.find(({ status }) => status === 200)?.body.access_token ?? assert.fail();
  const listed = await admin(gateway, 'GET', '/oauth2_tokens');
  assert.equal(listed.data.length, 1);
  assert.deepEqual(
    [listed.data[0]?.access_token, listed.data[0]?.['service'], listed.data[0]?.['credential']],
    [token, { id: service.id }, { id: credential.id }],
  );
  await waitFor(async () => (await get(gateway, token)).status === 200);
  const before = await Promise.all(Array.from({ length: 10 }, () => get(gateway, token)));
  assert.ok(before.every(({ status }) => status === 200));
  assert.equal(before[0]?.body.headers['x-authenticated-userid'], 'u');

  await admin(gateway, 'DELETE', `/oauth2_tokens/${token}`);
  await waitFor(async () => (await get(gateway, token)).status === 401);
  const after = await Promise.all(Array.from({ length: 10 }, () => get(gateway, token)));
  assert.ok(after.every(({ status }) => status === 401));

  // What the Admin API makes is good as well, and goes with its client.
  const made = { credential: { id: credential.id }, service: { id: service.id }, expires_in: 60 };
  await admin(gateway, 'POST', '/oauth2_tokens', { ...made, access_token: 'mine' });
  await waitFor(async () => (await get(gateway, 'mine')).status === 200);
  await admin(gateway, 'DELETE', '/oauth2/app');
  await waitFor(async () => (await get(gateway, 'mine')).status === 401);
  assert.deepEqual((await admin(gateway, 'GET', '/oauth2_tokens')).data, []);
});

test('without a database it is refused, and says why', async () => {
  await using gateway = await startGateway({ config: { _format_version: '3.0' } });
  const plugins = [{ name: 'oauth2', config: { enable_client_credentials: true } }];
  const { status, body } = await gateway.postConfig({ _format_version: '3.0', plugins });
  assert.equal(status, 400);
  assert.match(JSON.stringify(body), /oauth2 keeps codes and tokens in the database/);
});
