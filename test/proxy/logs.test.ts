/** What operators read: access log, error log, their levels, and a log file that is moved away. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { startGateway, type Gateway } from '../support/gateway.ts';
import { startDnsServer } from '../support/dns-server.ts';
import { freePort } from '../support/ports.ts';
import { connectRaw, rawRequest } from '../support/raw-client.ts';
import { waitFor } from '../support/wait.ts';
import { requestText, send, type Ask } from './support/ask.ts';
import { answer, startPuppet } from './support/puppet.ts';

const puppet = await startPuppet();
const dns = await startDnsServer({ 'A broken.test': 'servfail' });
const refused = await freePort();
const config = {
  _format_version: '3.0',
  services: [
    { name: 'puppet', url: puppet.url, retries: 0, routes: [{ name: 'puppet', paths: ['/up'] }] },
    {
      name: 'slow',
      url: puppet.url,
      retries: 0,
      read_timeout: 300,
      routes: [{ name: 'slow', paths: ['/slow'] }],
    },
    {
      name: 'refused',
      host: '127.0.0.1',
      port: refused,
      retries: 1,
      routes: [{ name: 'refused', paths: ['/refused'] }],
    },
    { name: 'nowhere', host: 'unknown.test', routes: [{ name: 'unknown', paths: ['/unknown'] }] },
    { name: 'broken', host: 'broken.test', port: 81, routes: [{ name: 'broken', paths: ['/broken'] }] },
  ],
  routes: [{ name: 'lonely', paths: ['/lonely'] }],
};
const [gateway, chatty, mute] = await Promise.all([
  startGateway({ config, settings: { trusted_ips: '127.0.0.1', dns_resolver: dns.address } }),
  startGateway({ config, settings: { log_level: 'info', proxy_access_log: 'elsewhere.log' } }),
  startGateway({ config, settings: { log_level: 'crit', proxy_access_log: 'off' } }),
]);
const port = gateway.proxyPort;

after(async () => {
  for (const each of [gateway, chatty, mute, puppet, dns]) await each[Symbol.asyncDispose]();
});

/** The one line of a log that holds `text`. */
async function lineWith(from: Gateway, file: string, text: string): Promise<string> {
  return waitFor(
    async () => {
      const lines = (await from.logFile(file)).split('\n').slice(0, -1);
      return lines.find((line) => line.includes(text)) ?? null;
    },
    { what: `a line with ${text} in ${file}` },
  );
}

const HI = 'HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhello';
const TIME = String.raw`\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]`;

const LINES: ReadonlyArray<
  Ask & { readonly name: string; readonly client?: string; readonly user?: string; readonly rest: string }
> = [
  {
    name: 'proxied',
    target: '/up/a?b=c',
    lines: ['Referer: http://ref.test/', 'User-Agent: tester/1.0', ...answer(HI)],
    rest: '"GET /up/a?b=c HTTP/1.1" 201 5 "http://ref.test/" "tester/1.0"',
  },
  {
    name: 'no route',
    method: 'DELETE',
    target: '/nowhere',
    rest: '"DELETE /nowhere HTTP/1.1" 404 <length> "-" "-"',
  },
  { name: 'failed', target: '/refused', rest: '"GET /refused HTTP/1.1" 502 <length> "-" "-"' },
  {
    name: 'HEAD',
    method: 'HEAD',
    target: '/up/head',
    lines: answer('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'),
    rest: '"HEAD /up/head HTTP/1.1" 200 0 "-" "-"',
  },
  {
    name: '1.0',
    version: '1.0',
    target: '/nowhere/1.0',
    rest: '"GET /nowhere/1.0 HTTP/1.0" 404 <length> "-" "-"',
  },
  {
    name: 'absolute form, as it came',
    target: 'http://other.test:81/nowhere/absolute',
    rest: '"GET http://other.test:81/nowhere/absolute HTTP/1.1" 404 <length> "-" "-"',
  },
  {
    name: 'the client behind a trusted proxy, and a user',
    target: '/nowhere/user',
    lines: ['X-Real-IP: 2001:db8::1', 'Authorization: Basic YWxpY2U6c2VjcmV0'],
    client: '2001:db8::1',
    user: 'alice',
    rest: '"GET /nowhere/user HTTP/1.1" 404 <length> "-" "-"',
  },
  {
    name: 'nobody forges a line',
    target: '/nowhere/"\\\xe9',
    lines: ['User-Agent: a"b\\c\t\xff', 'Authorization: Basic YToKYg=='],
    user: 'a',
    rest: String.raw`"GET /nowhere/\x22\x5C\xE9 HTTP/1.1" 404 <length> "-" "a\x22b\x5Cc\x09\xFF"`,
  },
  {
    name: 'a malformed head',
    target: '/bad',
    lines: ['User-Agent: odd', 'Bad Name: 1'],
    rest: '"GET /bad HTTP/1.1" 400 <length> "-" "odd"',
  },
  {
    name: 'refused by its head',
    method: 'TRACE',
    target: '/trace',
    lines: ['User-Agent: tracer'],
    rest: '"TRACE /trace HTTP/1.1" 405 <length> "-" "tracer"',
  },
];

const quoted = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);

for (const { name, client = '127.0.0.1', user = '-', rest, ...ask } of LINES) {
  test(`access log: ${name}`, async () => {
    const { responses } = await rawRequest(port, requestText(ask));
    const [response] = responses;
    assert.ok(response);
    const id = response.header('x-kong-request-id') ?? '';
    const line = await lineWith(gateway, 'access.log', id);
    const wanted = rest.replace('<length>', String(response.body.length));
    const pattern = `^${quoted(client)} - ${user} ${TIME} ${quoted(wanted)} kong_request_id: "${id}"$`;
    assert.match(line, new RegExp(pattern));
  });
}

test('access log: bytes that are no request at all', async () => {
  const { responses } = await rawRequest(port, '\x16\x03\x01 nonsense\r\n\r\n');
  const line = await lineWith(gateway, 'access.log', responses[0]?.header('x-kong-request-id') ?? '?');
  assert.match(line, /^127\.0\.0\.1 - - \[[^\]]+\] "" 400 \d+ "-" "-" kong_request_id/);
});

test('access log: a client that goes before the answer is 499, after its head the status stays', async () => {
  for (const [target, lines, status, sent] of [
    ['/up/gone-before', [], 499, 0],
    ['/up/gone-after', answer('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc'), 200, 3],
  ] as const) {
    await using connection = await connectRaw(port);
    const before = puppet.seen.length;
    connection.write(requestText({ target, lines }));
    await waitFor(() => puppet.seen.length > before);
    if (status === 200) await waitFor(() => connection.received.toString('latin1').endsWith('abc'));
    connection.reset();
    const line = await lineWith(gateway, 'access.log', target);
    assert.match(line, new RegExp(` ${status} ${sent} "-" "-" `));
  }
});

test('access log: one line for each request of a connection, in order', async () => {
  await using connection = await connectRaw(port);
  const targets = Array.from({ length: 20 }, (_, i) => `/nowhere/many-${i}-`);
  connection.write(targets.map((target) => requestText({ target })).join(''));
  for (let i = 0; i < 20; i++) await connection.readResponse();
  await lineWith(gateway, 'access.log', 'many-19-');
  const seen = [...(await gateway.logFile('access.log')).matchAll(/many-\d+-/g)].map(
    ([match]) => `/nowhere/${match}`,
  );
  assert.deepEqual(seen, targets);
});

test('access log: a file of another name, and none at all', async () => {
  await send(chatty.proxyPort, { target: '/nowhere/elsewhere' });
  await waitFor(() => existsSync(join(chatty.prefix, 'elsewhere.log')));
  assert.equal(existsSync(join(chatty.prefix, 'logs', 'access.log')), false);
  await send(mute.proxyPort, { target: '/nowhere' });
  assert.equal(existsSync(join(mute.prefix, 'logs', 'access.log')), false);
});

test('SIGUSR1: a log that was moved away is opened anew, no line is lost', async () => {
  const logs = join(gateway.prefix, 'logs');
  await send(port, { target: '/nowhere/before-move' });
  await lineWith(gateway, 'access.log', 'before-move');
  await rename(join(logs, 'access.log'), join(logs, 'access.log.1'));
  await send(port, { target: '/nowhere/after-move' });
  await lineWith(gateway, 'access.log.1', 'after-move');
  gateway.signal('SIGUSR1');
  await waitFor(() => existsSync(join(logs, 'access.log')), { what: 'the new file' });
  await send(port, { target: '/nowhere/after-signal' });
  await lineWith(gateway, 'access.log', 'after-signal');
  assert.ok(!(await gateway.logFile('access.log.1')).includes('after-signal'));
});

test('access log: a full disk is told in the error log when it begins, and no request minds', async () => {
  await using full = await startGateway({ config, settings: { proxy_access_log: '/dev/full' } });
  for (let i = 0; i < 3; i++) assert.equal((await send(full.proxyPort, { target: '/nowhere' })).status, 404);
  const line = await lineWith(full, 'error.log', '/dev/full');
  assert.match(line, /\[alert\] .*log lines for \/dev\/full are dropped: ENOSPC/);
  await full.stop();
  assert.match(await full.logFile('error.log'), /3 log lines for \/dev\/full were dropped: ENOSPC/);
});

test('access log: one that cannot be opened ends the start and says why', async () => {
  const starting = startGateway({ config, settings: { proxy_access_log: '/proc/no/access.log' } });
  await assert.rejects(starting, /sluice: worker 0: the worker died: ENOENT: .*'\/proc\/no'/);
});

const FORMAT = /^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d \[[a-z]+\] \d+#\d+: /;

test('error log: a failed upstream is an error, with who, what and where; so is each try', async () => {
  const response = await send(port, { target: '/refused?secret=1', host: 'shop.test' });
  const id = response.header('x-kong-request-id') ?? '?';
  await lineWith(gateway, 'error.log', id);
  const all = (await gateway.logFile('error.log')).split('\n').filter((line) => line.includes(id));
  assert.equal(all.length, 2);
  for (const line of all) {
    assert.match(line, FORMAT);
    assert.match(line, /\[error\].*ECONNREFUSED/);
    assert.match(line, /client: 127\.0\.0\.1/);
    assert.match(line, /request: "GET \/refused\?secret=1 HTTP\/1\.1"/);
    assert.match(line, /host: "shop\.test"/);
    assert.ok(line.includes(`upstream: "http://127.0.0.1:${refused}`), line);
    assert.match(line, /, route: "refused", service: "refused", request_id: "[0-9a-f]+"$/);
  }
});

/** What the gateway answers on its own: who reads the log at night must learn the name, the route and the cause. */
const OWN_FAILURES: ReadonlyArray<readonly [target: string, status: number, line: RegExp]> = [
  [
    '/unknown',
    503,
    /name resolution failed: .*NXDOMAIN.*, upstream: "http:\/\/unknown\.test:80", .*route: "unknown", service: "nowhere"/,
  ],
  [
    '/broken',
    500,
    /resolver failed: .*SERVFAIL.*, upstream: "http:\/\/broken\.test:81", .*route: "broken", service: "broken"/,
  ],
  ['/slow', 504, /upstream read timeout: after 300 ms, client: .*, service: "slow"/],
  ['/lonely', 503, /no service, client: .*, route: "lonely", request_id/],
];

for (const [target, status, pattern] of OWN_FAILURES) {
  test(`error log: why ${target} was ${status}`, async () => {
    const response = await send(port, { target });
    assert.equal(response.status, status);
    const line = await lineWith(gateway, 'error.log', response.header('x-kong-request-id') ?? '?');
    assert.match(line, /\[error\]/);
    assert.match(line, pattern);
  });
}

test('error log: what clients do is information', async () => {
  for (const [ask, text] of [
    [{ target: '/nowhere/quiet', lines: ['Bad Name: 1'] }, 'malformed request'],
    [{ method: 'TRACE', target: '/nowhere/quiet' }, 'method not allowed'],
  ] as const) {
    await send(chatty.proxyPort, ask);
    const line = await lineWith(chatty, 'error.log', text);
    assert.match(line, FORMAT);
    assert.match(line, /\[info\]/);
    await send(port, ask);
  }
  await send(port, { target: '/refused/last' });
  await lineWith(gateway, 'error.log', '/refused/last');
  assert.ok(!(await gateway.logFile('error.log')).includes('/nowhere/quiet'));
});

test('error log: crit holds no failed upstream', async () => {
  assert.equal((await send(mute.proxyPort, { target: '/refused' })).status, 502);
  await mute.stop();
  assert.ok(!(await mute.logFile('error.log')).includes('/refused'));
});

test('error log: a request in absolute form stands as it came', async () => {
  await send(port, { target: 'http://shop.test/refused/absolute' });
  const line = await lineWith(gateway, 'error.log', '/refused/absolute');
  assert.match(line, /request: "GET http:\/\/shop\.test\/refused\/absolute HTTP\/1\.1"/);
});

test('error log: nobody forges a line', async () => {
  await send(port, { target: '/refused/forged"\x9b', host: 'a' });
  const line = await lineWith(gateway, 'error.log', '/refused/forged');
  assert.ok(line.includes(String.raw`request: "GET /refused/forged\x22\x9B HTTP/1.1"`), line);
});
