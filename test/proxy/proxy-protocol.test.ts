/** PROXY headers in front of proxied connections: who is believed, what it changes, and what is refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { v2Header } from '../../src/wire/proxy-protocol/header.fixture.ts';
import { CELL } from '../../src/zone/worker-zone.ts';
import { type PlaneOptions, startPlane, type TestPlane } from '../support/data-plane.ts';
import { startGateway } from '../support/gateway.ts';
import { startHaproxy } from '../support/haproxy.ts';
import { startNginx } from '../support/nginx.ts';
import { freePort, freePorts } from '../support/ports.ts';
import { type Bytes, connectRaw } from '../support/raw-client.ts';
import { type Echo, startEcho, type Upstream } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';

async function plane(upstream: Upstream, settings: PlaneOptions['settings'] = {}): Promise<TestPlane> {
  const proxy_listen = `127.0.0.1:${await freePort()} proxy_protocol`;
  return startPlane(upstream.port, { settings: { proxy_listen, trusted_ips: '127.0.0.1', ...settings } });
}

async function ask(port: number, parts: readonly Bytes[], fields = ''): Promise<Echo> {
  await using client = await connectRaw(port);
  for (const part of parts) {
    client.write(part);
    await new Promise((resolve) => setImmediate(resolve));
  }
  client.write(`GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n${fields}\r\n`);
  const response = await client.readResponse();
  assert.equal(response.status, 200);
  return JSON.parse(response.body.toString()) as Echo;
}

const CLIENT = {
  remoteAddress: '203.0.113.7',
  remotePort: 1234,
  localAddress: '198.51.100.1',
  localPort: 443,
};
const V1 = 'PROXY TCP4 203.0.113.7 198.51.100.1 1234 443\r\n';
const V2 = v2Header({ addresses: CLIENT, tlvs: [[0xea, Buffer.from('vpce')]], checksum: 'good' });

test('the client is whom the header names, when real_ip_header says so', async () => {
  await using upstream = await startEcho();
  await using it = await plane(upstream, { real_ip_header: 'proxy_protocol' });
  for (const [name, parts, wanted] of [
    ['version 1', [V1], '203.0.113.7'],
    ['version 1 in pieces', [V1.slice(0, 3), V1.slice(3, 20), V1.slice(20)], '203.0.113.7'],
    ['version 2', [V2], '203.0.113.7'],
    ['version 2 in pieces', [V2.subarray(0, 11), V2.subarray(11, 30), V2.subarray(30)], '203.0.113.7'],
    ['LOCAL', [v2Header({ command: 0 })], '127.0.0.1'],
    ['UNKNOWN', ['PROXY UNKNOWN\r\n'], '127.0.0.1'],
    ['unix', [v2Header({ family: 3, block: Buffer.alloc(216) })], '127.0.0.1'],
  ] as const) {
    const { headers } = await ask(
      it.port,
      parts,
      'X-Forwarded-For: 192.0.2.9\r\nX-Forwarded-Proto: https\r\n',
    );
    assert.equal(headers['x-real-ip'], wanted, name);
    // The balancer is what the gateway heard it from, and its other words are believed as well.
    assert.equal(headers['x-forwarded-for'], '192.0.2.9, 127.0.0.1', name);
    assert.equal(headers['x-forwarded-proto'], 'https', name);
    const alone = await ask(it.port, parts);
    assert.equal(alone.headers['x-forwarded-for'], wanted, name);
    assert.equal(alone.headers['x-forwarded-proto'], 'http', name);
  }
  await it.settled();
});

test('with another real_ip_header the header is read and passed over', async () => {
  await using upstream = await startEcho();
  await using it = await plane(upstream);
  const { headers } = await ask(it.port, [V1], 'X-Real-IP: 192.0.2.9\r\n');
  assert.equal(headers['x-real-ip'], '192.0.2.9');
  assert.equal((await ask(it.port, [V2])).headers['x-real-ip'], '127.0.0.1');
});

test('strangers, and those who say nothing good, are refused and counted', async () => {
  await using upstream = await startEcho();
  const request = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
  for (const [name, settings, sent] of [
    ['a stranger', { trusted_ips: '10.0.0.0/8' }, V1 + request],
    ['no header', {}, request],
    ['a bad header', {}, `PROXY TCP4 203.0.113.7 198.51.100.1 1234 70000\r\n${request}`],
    ['a wrong checksum', {}, v2Header({ addresses: CLIENT, checksum: 'bad' })],
    ['TLS', {}, Buffer.from('16030100a5010000', 'hex')],
    ['too late', { nginx_http_client_header_timeout: '1ms' }, 'PROXY TCP4'],
  ] as const) {
    await using it = await plane(upstream, settings);
    await using client = await connectRaw(it.port);
    client.write(sent);
    await client.closed();
    assert.equal(client.received.length, 0, name);
    await waitFor(() => it.zone.get(CELL.proxyHeadersRefused) === 1, { what: name });
    assert.equal(it.zone.get(CELL.handled), 0, name);
  }
  assert.equal(upstream.requests, 0);
});

test('connections that wait for their header end with a drain', async () => {
  await using upstream = await startEcho();
  await using it = await plane(upstream);
  await using client = await connectRaw(it.port);
  client.write('PROXY ');
  await waitFor(() => it.zone.get(CELL.accepted) === 1);
  await it.plane.drain(5000);
  await client.closed();
});

test('HAProxy in front: send-proxy, send-proxy-v2, and its checks, which are LOCAL', async () => {
  await using upstream = await startEcho();
  const [gatewayPort = 0, one = 0, two = 0] = await freePorts(3);
  await using gateway = await startGateway({
    config: {
      _format_version: '3.0',
      services: [{ name: 's', url: upstream.url, routes: [{ name: 'r', paths: ['/'] }] }],
    },
    settings: {
      proxy_listen: `127.0.0.1:${gatewayPort} proxy_protocol reuseport`,
      trusted_ips: '127.0.0.1,::1',
      real_ip_header: 'proxy_protocol',
      nginx_worker_processes: 2,
      log_level: 'info',
    },
  });
  const backend = (name: string, options: string): string => `frontend ${name}
  bind 127.0.0.1:${name === 'one' ? one : two}
  default_backend to_${name}
backend to_${name}
  option httpchk GET /check
  http-check expect status 200
  source 127.0.0.1
  server gateway 127.0.0.1:${gatewayPort} ${options} check inter 50
`;
  await using haproxy = await startHaproxy(
    `${backend('one', 'send-proxy')}${backend('two', 'send-proxy-v2 proxy-v2-options crc32c,unique-id')}`,
    two,
  );
  for (const port of [one, two]) {
    const response = await waitFor(
      async () => {
        const answer = await fetch(`http://127.0.0.1:${port}/`);
        return answer.status === 200 ? answer : null;
      },
      { what: `the check to pass\n${haproxy.output}` },
    );
    const echo = (await response.json()) as Echo;
    assert.equal(echo.headers['x-real-ip'], '127.0.0.1');
  }
  const log = await waitFor(async () => {
    const text = await gateway.logFile('access.log');
    return text.includes('"GET /check HTTP/1.') && text;
  });
  assert.match(log, /^127\.0\.0\.1 - - .*GET \/check /m);
  // A stranger to the listener is one without a header; it stands in /status and in the log.
  await using raw = await connectRaw(gatewayPort);
  raw.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await raw.closed();
  const status = (await (await fetch(`${gateway.statusUrl}/status`)).json()) as {
    sluice: { proxy_headers_refused: number };
  };
  assert.equal(status.sluice.proxy_headers_refused, 1);
  const said = /PROXY header from 127\.0\.0\.1: there is no PROXY header/;
  await waitFor(async () => said.test(await gateway.logFile('error.log')), { what: 'the line in the log' });
});

test('nginx in front: proxy_protocol on', async () => {
  await using upstream = await startEcho();
  await using it = await plane(upstream, { real_ip_header: 'proxy_protocol' });
  const port = await freePort();
  await using nginx = await startNginx({
    main: `load_module /usr/lib/nginx/modules/ngx_stream_module.so;
stream { server { listen 127.0.0.1:${port}; proxy_pass 127.0.0.1:${it.port}; proxy_protocol on; proxy_bind 127.0.0.1; } }`,
    http: 'server { listen 127.0.0.1:%PORT%; }',
  });
  assert.ok(nginx.pid > 0);
  await using client = await connectRaw(port);
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const echo = JSON.parse((await client.readResponse()).body.toString()) as Echo;
  assert.equal(echo.headers['x-real-ip'], '127.0.0.1');
});
