/** PROXY headers on the admin and status listeners: who is believed, who the client is then, and that loopback is no proof. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import * as net from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import * as tls from 'node:tls';
import { startGateway } from '../support/gateway.ts';
import { freePorts } from '../support/ports.ts';
import { connectRaw } from '../support/raw-client.ts';
import { waitFor } from '../support/wait.ts';

const HEADER = 'PROXY TCP4 203.0.113.7 198.51.100.1 1234 8001\r\n';
const GET = 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';

async function overTls(port: number, ca: Buffer): Promise<string> {
  const plain = net.connect(port, '127.0.0.1');
  plain.write(HEADER);
  const client = tls.connect({ socket: plain, ca, servername: 'localhost' });
  client.write(GET);
  let text = '';
  for await (const chunk of client) text += String(chunk);
  return text;
}

test('with and without TLS; strangers are refused and counted', async () => {
  const [plain = 0, secure = 0] = await freePorts(2);
  await using gateway = await startGateway({
    settings: {
      admin_listen: `127.0.0.1:${plain} proxy_protocol, 127.0.0.1:${secure} ssl proxy_protocol`,
      trusted_ips: '127.0.0.1',
      admin_auth: 'off',
      log_level: 'info',
    },
  });
  {
    await using client = await connectRaw(plain);
    client.write(HEADER + GET);
    assert.equal((await client.readResponse()).status, 200);
  }
  const ca = await readFile(join(gateway.prefix, 'ssl', 'admin-sluice-default.crt'));
  assert.match(await overTls(secure, ca), /^HTTP\/1\.1 200 /);
  const lines = async (): Promise<number> =>
    (await gateway.logFile('admin_access.log')).match(/^203\.0\.113\.7 - - .*"GET \/ HTTP\/1\.1" 200 /gm)
      ?.length ?? 0;
  await waitFor(async () => (await lines()) === 2, { what: 'both clients in the access log' });
  for (const bytes of [GET, 'PROXY TCP4 nonsense\r\n']) {
    await using client = await connectRaw(plain);
    client.write(bytes);
    await client.closed();
    assert.equal(client.received.length, 0);
  }
  const shown = (await (await fetch(`${gateway.statusUrl}/status`)).json()) as {
    sluice: { proxy_headers_refused: number };
  };
  assert.equal(shown.sluice.proxy_headers_refused, 2);
});

test('the status listener, too', async () => {
  const [port = 0] = await freePorts(1);
  await using gateway = await startGateway({
    settings: {
      status_listen: `127.0.0.1:%STATUS%, 127.0.0.1:${port} proxy_protocol`,
      trusted_ips: '127.0.0.1',
      status_access_log: 'logs/status_access.log',
    },
  });
  const ask = async (bytes: string): Promise<Buffer> => {
    await using client = await connectRaw(port);
    client.write(bytes);
    await client.closed();
    return client.received;
  };
  const request = GET.replace('GET /', 'GET /status');
  assert.match(String(await ask(HEADER + request)), /^HTTP\/1\.1 200 /);
  assert.match(String(await ask(`PROXY UNKNOWN\r\n${request}`)), /^HTTP\/1\.1 200 /);
  assert.equal((await ask(request)).length, 0);
  assert.match(String(await ask(HEADER + request)), /"proxy_headers_refused":1/);
  await waitFor(async () => /^203\.0\.113\.7 /m.test(await gateway.logFile('status_access.log')));
});

test('loopback behind a balancer is open to nobody until it is said', async () => {
  const [port = 0] = await freePorts(1);
  await using gateway = await startGateway({
    settings: { admin_listen: `127.0.0.1:${port} proxy_protocol`, trusted_ips: '127.0.0.1' },
  });
  assert.ok(gateway.pid > 0);
  for (const header of [HEADER, 'PROXY UNKNOWN\r\n', 'PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n']) {
    await using client = await connectRaw(port);
    client.write(header + GET);
    assert.equal((await client.readResponse()).status, 401, header);
  }
});
