/** HTTP/2 with real clients, against the gateway as its users run it: curl, nghttp, h2load; logs, `/status` and a stop. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { startGateway } from '../support/gateway.ts';
import { Http2Client } from '../support/http2-plane.ts';
import { freePort } from '../support/ports.ts';
import { type Echo, startEcho, startHttpUpstream } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';

const run = promisify(execFile);
const port = await freePort();
const echo = await startEcho();
let answer: (() => void) | null = null;
const held = await startHttpUpstream((_, response) => void (answer = () => response.end('held')));
const gateway = await startGateway({
  settings: {
    proxy_listen: `127.0.0.1:${port} http2`,
    proxy_access_log: 'logs/access.log',
    trusted_ips: '127.0.0.1',
    real_ip_header: 'X-Forwarded-For',
  },
  config: {
    _format_version: '3.0',
    services: [
      { name: 'echo', url: echo.url, routes: [{ name: 'echo', paths: ['/echo'] }] },
      { name: 'held', url: held.url, routes: [{ name: 'held', paths: ['/held'] }] },
      {
        name: 'fields',
        url: echo.url,
        routes: [{ name: 'fields', hosts: ['fields.test'], headers: { 'x-kind': ['a'] }, methods: ['PUT'] }],
      },
    ],
  },
});
const url = `http://127.0.0.1:${port}`;
after(async () => {
  for (const each of [gateway, echo, held]) await each[Symbol.asyncDispose]();
});

test('curl: bodies, error bodies, and HTTP/1.1 beside it', async () => {
  const h2 = ['--silent', '--show-error', '--http2-prior-knowledge'];
  const posted = await run('curl', [...h2, '--data', 'x'.repeat(100_000), `${url}/echo/a?b=c`]);
  const seen = JSON.parse(posted.stdout) as Echo;
  assert.deepEqual([seen.method, seen.url, seen.bodyLength], ['POST', '/a?b=c', 100_000]);
  assert.equal(seen.headers['via'], '2 sluice/0.1.0');
  const none = await run('curl', [...h2, '--include', `${url}/none`]);
  assert.match(none.stdout, /^HTTP\/2 404/);
  assert.match(none.stdout, /"message":"no Route matched with those values"/);
  const old = await run('curl', [
    '--silent',
    '--output',
    '/dev/null',
    '--write-out',
    '%{http_version}',
    `${url}/echo`,
  ]);
  assert.equal(old.stdout, '1.1');
  // `Upgrade: h2c` is not answered: the request is served as what it is.
  const upgrade = await run('curl', [
    '--silent',
    '--http2',
    '--output',
    '/dev/null',
    '--write-out',
    '%{http_version} %{http_code}',
    `${url}/echo`,
  ]);
  assert.equal(upgrade.stdout, '1.1 200');
});

test('nghttp: many requests on one connection, and no PUSH', async () => {
  const { stdout } = await run('nghttp', ['--null-out', '--stat', '--multiply=20', `${url}/echo`]);
  assert.equal(stdout.match(/ 200 /g)?.length, 20, stdout);
});

test('h2load: thousands of requests, none fails', async () => {
  const { stdout } = await run('h2load', ['-n', '4000', '-c', '8', '-m', '16', `${url}/echo`]);
  assert.match(stdout, /4000 done, 4000 succeeded, 0 failed, 0 errored, 0 timeout/);
});

test('routing by host, header and method; who calls is believed of trusted peers', async () => {
  await using client = new Http2Client(port);
  const { status, body } = await client.ask({
    ':method': 'PUT',
    ':path': '/x',
    ':authority': 'fields.test',
    'x-kind': 'a',
    'x-forwarded-for': '192.0.2.1',
  });
  const seen = JSON.parse(body.toString()) as Echo;
  assert.deepEqual([status, seen.method, seen.headers['x-real-ip']], [200, 'PUT', '192.0.2.1']);
  const other = await client.ask({
    ':method': 'PUT',
    ':path': '/x',
    ':authority': 'fields.test',
    'x-kind': 'b',
  });
  assert.equal(other.status, 404);
  await waitFor(async () =>
    /^192\.0\.2\.1 .* "PUT \/x HTTP\/2\.0" 200 /m.test(await gateway.logFile('access.log')),
  );
});

test('/status counts streams; a graceful stop lets them end', async () => {
  await using client = new Http2Client(port);
  const asked = client.ask({ ':path': '/held' });
  await waitFor(() => answer !== null);
  const status = (await (await fetch(`${gateway.statusUrl}/status`)).json()) as {
    sluice: { http2: Record<string, number> };
  };
  assert.equal(status.sluice.http2['streams'], 1);
  const stopped = gateway.stop('SIGQUIT');
  await waitFor(() => client.goaways > 0, { what: 'GOAWAY' });
  answer?.();
  assert.equal((await asked).body.toString(), 'held');
  assert.equal((await stopped).code, 0);
});
