/** What is tried again, how often, and what never is: counted at the upstream. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { after, test } from 'node:test';
import { startDnsServer } from '../support/dns-server.ts';
import { startGateway } from '../support/gateway.ts';
import { connectRaw, rawRequest } from '../support/raw-client.ts';
import { startHttpUpstream, startRawUpstream } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';
import { requestText, send, type Ask } from './support/ask.ts';
import { answer, startPuppet } from './support/puppet.ts';

/** Fails as often as `X-Fail` says, each time when it has the whole body; then answers with the body's hash. */
const attempts = new Map<string, string[]>();
const failing = await startHttpUpstream(async (request, response) => {
  const body = await hashOf(request);
  const key = String(request.headers['x-case']);
  const seen = attempts.get(key) ?? [];
  attempts.set(key, seen);
  seen.push(`${request.headers['content-length'] ?? 'chunked'} ${body}`);
  if (seen.length <= Number(request.headers['x-fail'])) {
    request.socket.resetAndDestroy();
    return;
  }
  response.setHeader('content-length', body.length);
  response.end(body);
});

async function hashOf(request: IncomingMessage): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of request as AsyncIterable<Buffer>) hash.update(chunk);
  return hash.digest('hex');
}

const puppet = await startPuppet();
/** Each connection answers one request and is closed by the next one, as by a server whose patience ended just then. */
const forgetful = await startRawUpstream(async (peer) => {
  await peer.heads(1);
  const body = String(peer.connection);
  peer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  await peer.heads(2);
  peer.socket.destroy();
});
const dns = await startDnsServer({
  'A two.test': [
    { type: 'A', ip: '127.0.0.1' },
    { type: 'A', ip: '127.0.0.2' },
  ],
});

const at = (name: string, port: number, service: Record<string, unknown> = {}): Record<string, unknown> => ({
  name,
  host: '127.0.0.1',
  port,
  ...service,
  routes: [
    { name, paths: [`/${name}`] },
    { name: `${name}-streamed`, paths: [`/streamed/${name}`], request_buffering: false },
  ],
});
const gateway = await startGateway({
  config: {
    _format_version: '3.0',
    services: [
      at('puppet', puppet.port, { retries: 2 }),
      at('impatient', puppet.port, { retries: 2, read_timeout: 2000 }),
      at('default', failing.port),
      at('once', failing.port, { retries: 0 }),
      at('forgetful', forgetful.port, { retries: 0 }),
      at('two', failing.port, { host: 'two.test' }),
      at('two-once', failing.port, { host: 'two.test', retries: 0 }),
    ],
  },
  settings: { dns_resolver: dns.address, request_buffer_size: '64k' },
});
const port = gateway.proxyPort;

after(async () => {
  for (const each of [gateway, failing, puppet, forgetful, dns]) await each[Symbol.asyncDispose]();
});

/** With retries: 2, so three tries at most. */
const TRIES: ReadonlyArray<
  Ask & { readonly name: string; readonly tries: number; readonly status: number | 'broken' }
> = [
  ...['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'QUERY'].map((method) => ({
    name: `reset before the response: ${method}`,
    method,
    lines: ['X-Then: reset'],
    tries: 3,
    status: 502,
  })),
  ...['POST', 'PATCH', 'LOCK'].map((method) => ({
    name: `reset before the response: ${method}`,
    method,
    lines: ['X-Then: reset'],
    tries: 1,
    status: 502,
  })),
  { name: 'close before the response: GET', lines: ['X-Then: close'], tries: 3, status: 502 },
  { name: 'time-out: GET', target: '/impatient', tries: 3, status: 504 },
  { name: 'time-out: POST', target: '/impatient', method: 'POST', tries: 1, status: 504 },
  { name: 'reset within the head', lines: answer('HTTP/1.1 2', 'reset'), tries: 1, status: 502 },
  {
    name: 'time-out within the head',
    target: '/impatient',
    lines: answer('HTTP/1.1 2'),
    tries: 1,
    status: 504,
  },
  {
    name: 'reset within the body',
    lines: answer('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc', 'reset'),
    tries: 1,
    status: 'broken',
  },
  {
    name: 'reset within chunks',
    lines: answer('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n', 'reset'),
    tries: 1,
    status: 'broken',
  },
  {
    name: 'time-out within the body',
    target: '/impatient',
    lines: answer('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc'),
    tries: 1,
    status: 'broken',
  },
  { name: 'garbage', lines: answer('garbage\r\n\r\n'), tries: 1, status: 502 },
  {
    name: 'an error status',
    lines: answer('HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n'),
    tries: 1,
    status: 503,
  },
  {
    name: 'a reset after interim responses',
    lines: answer('HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n', 'reset'),
    tries: 1,
    status: 502,
  },
];

for (const { name, tries, status, ...ask } of TRIES) {
  test(`tries: ${name}`, async () => {
    const before = puppet.seen.length;
    const { responses, ending, text } = await rawRequest(port, requestText({ target: '/puppet', ...ask }));
    if (status === 'broken') {
      assert.deepEqual(responses, [], 'a response that is not whole must not look so');
      assert.match(text, /^HTTP\/1\.1 200 /);
      assert.notEqual(ending, 'open');
    } else {
      assert.equal(responses[0]?.status, status);
    }
    // The last one may be on its way here while its answer is there.
    await waitFor(() => puppet.seen.length - before >= tries, { what: 'the tries to be seen' });
    assert.equal(puppet.seen.length - before, tries);
    const lines = puppet.seen.slice(before).map((head) => head.lines);
    for (const again of lines) assert.deepEqual(again, lines[0], 'each try sends the same head');
  });
}

const LARGE = 'x'.repeat(200_000);

/** A body and how often the upstream fails → what the upstream got in all. */
const BODIES: ReadonlyArray<{
  readonly name: string;
  readonly target: string;
  readonly method: string;
  readonly body: string;
  readonly chunked?: true;
  readonly fails: number;
  readonly status: number;
  readonly tries: number;
}> = [
  // First, while no connection is pooled: one that turns out stale does not count.
  { name: 'six failures', target: '/default', method: 'PUT', body: 'abc', fails: 9, status: 502, tries: 6 },
  {
    name: 'retries: 5 unless said',
    target: '/default',
    method: 'PUT',
    body: 'abc',
    fails: 5,
    status: 200,
    tries: 6,
  },
  {
    name: 'chunked, kept, sent with its length each time',
    target: '/default',
    method: 'PUT',
    body: 'abcdef',
    chunked: true,
    fails: 2,
    status: 200,
    tries: 3,
  },
  {
    name: 'as large as is kept',
    target: '/default',
    method: 'PUT',
    body: 'x'.repeat(65_536),
    fails: 1,
    status: 200,
    tries: 2,
  },
  {
    name: 'larger than is kept',
    target: '/default',
    method: 'PUT',
    body: LARGE,
    fails: 1,
    status: 502,
    tries: 1,
  },
  {
    name: 'not buffered',
    target: '/streamed/default',
    method: 'PUT',
    body: 'abc',
    fails: 1,
    status: 502,
    tries: 1,
  },
  { name: 'retries: 0', target: '/once', method: 'PUT', body: 'abc', fails: 1, status: 502, tries: 1 },
  { name: 'POST', target: '/default', method: 'POST', body: 'abc', fails: 1, status: 502, tries: 1 },
];

for (const [row, { name, target, method, body, chunked, fails, status, tries }] of BODIES.entries()) {
  test(`body: ${name}`, async () => {
    const lines = [`X-Case: ${row}`, `X-Fail: ${fails}`];
    const framed = `${Math.ceil(body.length / 2).toString(16)}\r\n${body.slice(0, Math.ceil(body.length / 2))}\r\n`;
    const rest = body.slice(Math.ceil(body.length / 2));
    const bytes =
      chunked === true
        ? [
            requestText({ method, target, lines: [...lines, 'Transfer-Encoding: chunked'] }) + framed,
            `${rest.length.toString(16)}\r\n${rest}\r\n0\r\n\r\n`,
          ]
        : [requestText({ method, target, lines, body })];
    const { responses } = await rawRequest(port, bytes);
    assert.equal(responses[0]?.status, status);
    const hash = createHash('sha256').update(body).digest('hex');
    assert.deepEqual(
      attempts.get(String(row)),
      Array.from({ length: tries }, () => `${body.length} ${hash}`),
    );
    if (status === 200) assert.equal(responses[0]?.text(), hash);
  });
}

test('of two addresses one refuses: nobody sees it, whatever the method and the body', async () => {
  for (const target of ['/two', '/streamed/two']) {
    for (const method of ['GET', 'POST', 'PUT']) {
      for (let i = 0; i < 4; i++) {
        const ask = { method, target, ...(method === 'GET' ? {} : { body: 'abc' }) };
        const response = await send(port, { ...ask, lines: ['Connection: close'] });
        assert.equal(response.status, 200, `${method} ${target}`);
      }
    }
  }
});

test('of two addresses one refuses, retries: 0: the addresses take turns', async () => {
  const statuses: number[] = [];
  for (let i = 0; i < 6; i++) statuses.push((await send(port, { target: '/two-once' })).status);
  assert.deepEqual(
    statuses.toSorted((a, b) => a - b),
    [200, 200, 200, 502, 502, 502],
  );
});

const STALE: ReadonlyArray<Ask & { readonly status: number }> = [
  { target: '/forgetful', status: 200 },
  { target: '/forgetful', method: 'PUT', body: 'abc', status: 200 },
  { target: '/forgetful', method: 'DELETE', status: 200 },
  { target: '/forgetful', method: 'POST', body: 'abc', status: 502 },
  { target: '/forgetful', method: 'PATCH', status: 502 },
  { target: '/streamed/forgetful', method: 'PUT', body: 'abc', status: 502 },
];

for (const { status, ...ask } of STALE) {
  test(`stale connection: ${ask.method ?? 'GET'} ${ask.target} -> ${status}`, async () => {
    // A request that puts a connection into the pool; whatever was there before is used up or replaced.
    let first = await send(port, { target: '/forgetful' });
    while (first.status !== 200) first = await send(port, { target: '/forgetful' });
    const connections = forgetful.connections;
    const second = await send(port, ask);
    assert.equal(second.status, status);
    if (status === 200) assert.equal(second.text(), String(connections + 1), 'from a new connection');
    else assert.equal(forgetful.connections, connections, 'it was not sent twice');
  });
}

test('a client that goes ends the try, and no other begins', async () => {
  const before = puppet.seen.length;
  await using connection = await connectRaw(port);
  connection.write(requestText({ target: '/puppet' }));
  await waitFor(() => puppet.seen.length > before);
  connection.reset();
  await waitFor(() => puppet.peers.every((peer) => peer.socket.readableEnded || peer.socket.destroyed), {
    what: 'the upstream connection to be ended',
  });
  assert.equal(puppet.seen.length - before, 1);
});
