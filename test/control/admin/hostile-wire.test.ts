/** What a listener makes of requests that are none, and what of them stays in its logs: with the real gateway. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { type Gateway, sluice, startGateway } from '../../support/gateway.ts';
import { waitFor } from '../../support/wait.ts';

async function raw(port: number, request: string): Promise<{ status: number; body: string }> {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8');
  socket.write(request);
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  const [head = '', body = ''] = text.split('\r\n\r\n', 2);
  return { status: Number(head.split(' ')[1]), body };
}

async function admin(
  gateway: Gateway,
  method: string,
  path: string,
  options: { token?: string; body?: unknown } = {},
): Promise<number> {
  const response = await fetch(gateway.adminUrl + path, {
    method,
    headers: {
      'content-type': 'application/json',
      ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
    },
    ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
  });
  await response.arrayBuffer();
  return response.status;
}

test('checks without a Host are answered, requests that are none get an error object', async () => {
  await using gateway = await startGateway({ settings: { database: 'sqlite' } });
  const { adminPort, statusPort } = gateway;
  // HAProxy's `option httpchk` asks like this.
  assert.deepEqual(await raw(statusPort, 'GET /status/ready HTTP/1.0\r\n\r\n'), {
    status: 200,
    body: '{"message":"ready"}',
  });
  assert.equal((await raw(adminPort, 'GET /services HTTP/1.0\r\n\r\n')).status, 200);
  const requests = [
    'GET / HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: local@evil.test\r\nConnection: close\r\n\r\n',
    'GET /a\\b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
    'OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
    'GET services HTTP/1.1\r\nHost: localhost\r\n\r\n',
    'POST /services HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    `GET / HTTP/1.1\r\nHost: localhost\r\nx: ${'a'.repeat(40_000)}\r\n\r\n`,
  ];
  for (const request of requests) {
    const { status, body } = await raw(adminPort, request);
    assert.ok(status >= 400 && status < 500, `${status}: ${request.slice(0, 60)}`);
    assert.match(body, /^\{"message":"[^"]+"\}$/, request.slice(0, 60));
  }
});

test('a client that goes in the middle of its body is no error of ours', async () => {
  await using gateway = await startGateway({ settings: { database: 'sqlite' } });
  for (const path of ['/services', '/transactions']) {
    const socket = connect(gateway.adminPort, '127.0.0.1');
    await once(socket, 'connect');
    const type = path === '/services' ? 'json' : 'x-ndjson';
    socket.write(`POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/${type}\r\n`);
    socket.write('Content-Length: 1000\r\n\r\n{"name":"half","host":"h"');
    await new Promise((resolve) => setTimeout(resolve, 100));
    socket.destroy();
  }
  const gone = async (): Promise<boolean> =>
    (await gateway.logFile('admin_access.log')).split('" 499 ').length === 3;
  await waitFor(gone, { what: 'both to be logged' });
  assert.doesNotMatch(await gateway.logFile('error.log'), /\[(?:error|crit)\]/);
  assert.equal(await admin(gateway, 'GET', '/services/half'), 404);
});

test('a key that stands in a path is in no log', async () => {
  await using gateway = await startGateway({ settings: { database: 'sqlite' } });
  const id = '00000000-0000-4000-8000-000000000001';
  const before = [
    ['PUT', '/consumers/c', {}],
    ['PUT', '/consumers/c/key-auth/hunter2-a?x=1', {}],
    ['GET', '/key-auths/hunter2-a'],
    ['GET', '/cache/keyauth_credentials:hunter2-a'],
    ['GET', '/%6bey-auths/hunter2-a/consumer'],
    ['DELETE', `/key-auths/${id}`],
  ] as const;
  for (const [method, path, body] of before) await admin(gateway, method, path, { body });
  const dots = 'GET /key-auths/x/../hunter2-a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
  assert.equal((await raw(gateway.adminPort, dots)).status, 200);
  await admin(gateway, 'GET', '/consumers/hunter3');
  const log = async (): Promise<string> => await gateway.logFile('admin_access.log');
  await waitFor(async () => (await log()).includes('hunter3'), { what: 'the last line' });
  assert.doesNotMatch(await log(), /hunter2/);
  assert.match(await log(), /"PUT \/consumers\/c\/key-auth\/\*{6}\?x=1 HTTP/);
  assert.match(await log(), new RegExp(`"DELETE /key-auths/${id} HTTP`));
});

test('the log level is the node’s, and what only checks is a read', async () => {
  await using gateway = await startGateway({ settings: { database: 'sqlite', admin_auth: 'on' } });
  const tokens: Record<string, string> = {};
  for (const role of ['read', 'write', 'admin']) {
    const made = await sluice([
      'admin',
      'token',
      'create',
      '-p',
      gateway.prefix,
      '--name',
      role,
      '--role',
      role,
    ]);
    assert.equal(made.code, 0, made.stderr);
    tokens[role] = made.stdout.trim();
  }
  const statuses = async (method: string, path: string, body?: unknown): Promise<number[]> => {
    const answers: number[] = [];
    for (const token of Object.values(tokens))
      answers.push(await admin(gateway, method, path, { token, body }));
    return answers;
  };
  assert.deepEqual(await statuses('PUT', '/debug/node/log-level/debug', {}), [403, 403, 200]);
  assert.deepEqual(await statuses('PUT', '/debug/cluster/log-level/info', {}), [403, 403, 200]);
  const service = { name: 's', host: 'h' };
  assert.deepEqual(await statuses('POST', '/schemas/services/validate', service), [200, 200, 200]);
  assert.deepEqual(await statuses('POST', '/services', service), [403, 201, 409]);
});
