/** Every error that a client can get from the gateway: status, message, form, and what becomes of the connection. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { startDnsServer } from '../support/dns-server.ts';
import { startGateway } from '../support/gateway.ts';
import { freePort } from '../support/ports.ts';
import { connectRaw, rawRequest } from '../support/raw-client.ts';
import type { RawResponse } from '../support/response-reader.ts';
import { tempDir } from '../support/temp-dir.ts';
import { startEcho, startRawUpstream } from '../support/upstream.ts';
import { requestText, send, type Ask } from './support/ask.ts';
import { startFullPort } from './support/full-port.ts';
import { answer, startPuppet } from './support/puppet.ts';

const [echo, puppet, full, dns, templates] = await Promise.all([
  startEcho(),
  startPuppet(),
  startFullPort(),
  startDnsServer({ 'A broken.test': 'servfail', 'AAAA empty.test': [{ type: 'AAAA', ip: '::1' }] }),
  tempDir(),
]);
const deaf = await startRawUpstream((peer) => void peer.socket.pause());

const at = (name: string, service: Record<string, unknown>): Record<string, unknown> => ({
  name,
  retries: 0,
  host: '127.0.0.1',
  ...service,
  routes: [{ name, paths: [`/${name}`], request_buffering: false }],
});
const config = {
  _format_version: '3.0',
  services: [
    at('echo', { port: echo.port }),
    at('puppet', { port: puppet.port }),
    at('impatient', { port: puppet.port, read_timeout: 300 }),
    at('refused', { port: await freePort() }),
    at('full', { port: full.port, connect_timeout: 300 }),
    at('deaf', { port: deaf.port, write_timeout: 300 }),
    at('unknown', { host: 'unknown.test' }),
    at('empty', { host: 'empty.test' }),
    at('broken', { host: 'broken.test' }),
    { ...at('buffered', { port: echo.port }), routes: [{ name: 'buffered', paths: ['/buffered'] }] },
  ],
};
for (const form of ['json', 'html', 'xml', 'plain'])
  await writeFile(join(templates.path, form), `${form} 100%%: %s (%s)`);
const settings = { dns_resolver: dns.address };
const [gateway, strict] = await Promise.all([
  startGateway({ config, settings }),
  startGateway({
    config,
    settings: {
      ...settings,
      nginx_http_client_max_body_size: '1000',
      // Three clients are slow; no other must seem so because the machine is busy.
      nginx_http_client_header_timeout: '3s',
      nginx_http_client_body_timeout: '3s',
      error_default_type: 'application/json',
      error_template_json: join(templates.path, 'json'),
      error_template_html: join(templates.path, 'html'),
      error_template_xml: join(templates.path, 'xml'),
      error_template_plain: join(templates.path, 'plain'),
    },
  }),
]);
const port = gateway.proxyPort;

after(async () => {
  for (const each of [gateway, strict, echo, puppet, full, dns, deaf, templates])
    await each[Symbol.asyncDispose]();
});

const INVALID = 'An invalid response was received from the upstream server';
const TIMING_OUT = 'The upstream server is timing out';
const JSON_TYPE = 'application/json; charset=utf-8';

const plainBody = (message: string, response: RawResponse): string =>
  `${message}\nrequest_id: ${response.header('x-kong-request-id')}\n`;
const jsonBody = (message: string, response: RawResponse): string =>
  `{\n  "message":"${message}",\n  "request_id":"${response.header('x-kong-request-id')}"\n}`;

const CHUNKED = 'Transfer-Encoding: chunked';
const LONG = 'a'.repeat(9000);

/** What goes wrong at the upstream: Kong's own message is JSON by default, nginx's is plain text. */
const UPSTREAM: ReadonlyArray<{
  readonly name: string;
  readonly ask: Ask;
  readonly status: number;
  readonly message: string;
  readonly form?: 'json';
}> = [
  { name: 'connection refused', ask: { target: '/refused' }, status: 502, message: INVALID },
  { name: 'connect time-out', ask: { target: '/full' }, status: 504, message: TIMING_OUT },
  { name: 'read time-out', ask: { target: '/impatient' }, status: 504, message: TIMING_OUT },
  {
    name: 'closed without an answer',
    ask: { target: '/puppet', lines: ['X-Then: close'] },
    status: 502,
    message: INVALID,
  },
  {
    name: 'reset without an answer',
    ask: { target: '/puppet', lines: ['X-Then: reset'] },
    status: 502,
    message: INVALID,
  },
  {
    name: 'closed within the head',
    ask: { target: '/puppet', lines: answer('HTTP/1.1 200 OK\r\nX: ', 'close') },
    status: 502,
    message: INVALID,
  },
  {
    name: 'silent within the head',
    ask: { target: '/impatient', lines: answer('HTTP/1.1 200 OK\r\nX: ') },
    status: 504,
    message: TIMING_OUT,
  },
  ...[
    'not http at all\r\n\r\n',
    'HTTP/2.0 200 OK\r\n\r\n',
    'HTTP/1.1 99 Low\r\n\r\n',
    'HTTP/1.1 200 OK\nContent-Length: 0\n\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx',
    'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n',
    'HTTP/1.1 200 OK\r\nBad Name: 1\r\n\r\n',
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    `HTTP/1.1 200 OK\r\nX-Long: ${'a'.repeat(40_000)}\r\nContent-Length: 0\r\n\r\n`,
    `HTTP/1.1 200 OK\r\n${Array.from({ length: 40 }, (_, i) => `X-${i}: ${'a'.repeat(1000)}\r\n`).join('')}\r\n`,
    `HTTP/1.1 200 OK\r\n${Array.from({ length: 300 }, (_, i) => `X-${i}: a\r\n`).join('')}\r\n`,
  ].map((bytes) => ({
    name: `garbage ${JSON.stringify(bytes.slice(0, 60))} (${bytes.length} bytes)`,
    ask: { target: '/puppet', lines: answer(bytes) },
    status: 502,
    message: INVALID,
  })),
  {
    name: 'unknown name',
    ask: { target: '/unknown' },
    status: 503,
    message: 'name resolution failed',
    form: 'json',
  },
  {
    name: 'name without addresses',
    ask: { target: '/empty' },
    status: 503,
    message: 'name resolution failed',
    form: 'json',
  },
  {
    name: 'name server fails',
    ask: { target: '/broken' },
    status: 500,
    message: "failed the initial dns/balancer resolve for 'broken.test' with: server failure",
    form: 'json',
  },
];

for (const { name, ask, status, message, form } of UPSTREAM) {
  test(`upstream: ${name}`, async () => {
    const response = await send(port, ask);
    assert.equal(response.status, status);
    if (form === 'json') {
      assert.equal(response.header('content-type'), JSON_TYPE);
      assert.equal(response.text(), jsonBody(message, response));
    } else {
      assert.equal(response.header('content-type'), 'text/plain; charset=utf-8');
      assert.equal(response.text(), plainBody(message, response));
    }
    assert.equal(response.header('connection'), undefined, 'the client is not to blame');
  });
}

test('upstream: write time-out', async () => {
  await using connection = await connectRaw(port);
  connection.write('POST /deaf HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n');
  const pump = setInterval(() => connection.write(Buffer.alloc(1 << 20)), 5);
  try {
    const response = await connection.readResponse();
    assert.equal(response.status, 504);
    assert.equal(response.text(), plainBody(TIMING_OUT, response));
    assert.equal(response.header('connection'), 'close', 'the rest of the body is not waited for');
  } finally {
    clearInterval(pump);
  }
});

/** What the client does wrong. */
const CLIENT: ReadonlyArray<{
  readonly name: string;
  readonly bytes: string | readonly string[];
  readonly status: number;
  readonly message: string;
  readonly to?: 'strict';
}> = [
  { name: 'no request at all', bytes: 'hello\r\n\r\n', status: 400, message: 'Bad request' },
  { name: 'HTTP/1.1 without Host', bytes: requestText({ host: null }), status: 400, message: 'Bad request' },
  {
    name: 'two Hosts',
    bytes: requestText({ lines: ['Host: b.test'] }),
    status: 400,
    message: 'Bad request',
  },
  {
    name: 'lengths in conflict',
    bytes:
      'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    status: 400,
    message: 'Bad request',
  },
  {
    name: 'target too long',
    bytes: requestText({ target: `/${LONG}` }),
    status: 414,
    message: 'URI too long',
  },
  {
    name: 'a header line too long',
    bytes: requestText({ lines: [`X: ${LONG}`] }),
    status: 400,
    message: 'Request header or cookie too large',
  },
  {
    name: 'a head too long',
    bytes: requestText({ lines: Array.from({ length: 40 }, () => `X: ${'a'.repeat(1000)}`) }),
    status: 400,
    message: 'Request header or cookie too large',
  },
  {
    name: 'too many header lines',
    bytes: requestText({ lines: Array.from({ length: 201 }, () => 'X: a') }),
    status: 400,
    message: 'Request header or cookie too large',
  },
  {
    name: 'an expectation unknown',
    bytes: requestText({ method: 'POST', lines: ['Expect: 200-ok'], body: 'x' }),
    status: 417,
    message: 'Expectation failed',
  },
  { name: 'TRACE', bytes: requestText({ method: 'TRACE' }), status: 405, message: 'Method not allowed' },
  {
    name: 'CONNECT',
    bytes: requestText({ method: 'CONNECT', target: 'example.test:443' }),
    status: 405,
    message: 'Method not allowed',
  },
  {
    name: 'a coding unknown',
    bytes: requestText({ method: 'POST', lines: ['Transfer-Encoding: gzip, chunked'] }),
    status: 501,
    message: 'Not implemented',
  },
  {
    name: 'HTTP/2 as text',
    bytes: 'GET / HTTP/2.0\r\nHost: a\r\n\r\n',
    status: 505,
    message: 'HTTP version not supported',
  },
  {
    name: 'a malformed chunk, buffered',
    bytes: requestText({ method: 'POST', target: '/buffered', lines: [CHUNKED] }) + 'xyz\r\n',
    status: 400,
    message: 'Bad request',
  },
  {
    name: 'a malformed chunk, streamed',
    bytes: requestText({ method: 'POST', target: '/echo', lines: [CHUNKED] }) + '1\r\naxyz\r\n',
    status: 400,
    message: 'Bad request',
  },
  {
    name: 'a declared body too large',
    to: 'strict',
    bytes: 'POST /buffered HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n',
    status: 413,
    message: 'Payload too large',
  },
  {
    name: 'a body too large by many orders',
    to: 'strict',
    bytes: 'POST /buffered HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000000\r\n\r\n',
    status: 413,
    message: 'Payload too large',
  },
  {
    name: 'a chunked body too large, buffered',
    to: 'strict',
    bytes:
      requestText({ method: 'POST', target: '/buffered', lines: [CHUNKED] }) +
      `3e9\r\n${'a'.repeat(1001)}\r\n`,
    status: 413,
    message: 'Payload too large',
  },
  {
    name: 'a chunked body too large, streamed',
    to: 'strict',
    bytes: [
      requestText({ method: 'POST', target: '/echo', lines: [CHUNKED] }) + `1f4\r\n${'a'.repeat(500)}\r\n`,
      `1f5\r\n${'a'.repeat(501)}\r\n`,
    ],
    status: 413,
    message: 'Payload too large',
  },
  {
    name: 'a slow head',
    to: 'strict',
    bytes: 'GET /buffered HTTP/1.1\r\nHost:',
    status: 408,
    message: 'Request timeout',
  },
  {
    name: 'a slow body, buffered',
    to: 'strict',
    bytes: 'POST /buffered HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na',
    status: 408,
    message: 'Request timeout',
  },
  {
    name: 'a slow body, streamed',
    to: 'strict',
    bytes: 'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na',
    status: 408,
    message: 'Request timeout',
  },
];

for (const { name, bytes, status, message, to } of CLIENT) {
  test(`client: ${name}`, async () => {
    const requests = echo.requests;
    const result = await rawRequest(to === 'strict' ? strict.proxyPort : port, bytes);
    const [response] = result.responses;
    assert.ok(response, result.text);
    assert.equal(response.status, status);
    assert.equal(response.header('connection'), 'close');
    if (to === 'strict') {
      assert.equal(response.header('content-type'), JSON_TYPE);
      assert.equal(response.text(), `json 100%: ${message} (${response.header('x-kong-request-id')})`);
    } else {
      assert.equal(response.header('content-type'), 'text/plain; charset=utf-8');
      assert.equal(response.text(), plainBody(message, response));
    }
    if (!name.includes('streamed')) assert.equal(echo.requests, requests, 'nothing was forwarded');
  });
}

const HTML = 'text/html; charset=utf-8';
const XML = 'application/xml; charset=utf-8';
const TEXT = 'text/plain; charset=utf-8';

/** Request header lines → type of a 404 of the gateway's own, of a 502, and of a 405 (refused by its head alone). */
const FORMS: ReadonlyArray<readonly [lines: readonly string[], own: string, failed: string]> = [
  [[], JSON_TYPE, TEXT],
  [['Accept: text/html'], HTML, HTML],
  [['Accept: application/xml'], XML, XML],
  [['Accept: text/plain'], TEXT, TEXT],
  [['Accept: application/json'], JSON_TYPE, JSON_TYPE],
  [['Accept: text/*'], TEXT, TEXT],
  [['Accept: application/*'], JSON_TYPE, JSON_TYPE],
  [['Accept: */*'], JSON_TYPE, JSON_TYPE],
  [['Accept: image/png'], JSON_TYPE, JSON_TYPE],
  [['Accept: application/json;q=0.5, text/html;q=0.9'], HTML, HTML],
  [['Accept: application/json;q=0.5', 'accept: application/xml;q=0.9'], XML, XML],
  [['Content-Type: text/html'], JSON_TYPE, HTML],
  [['Content-Type: application/json; charset=x'], JSON_TYPE, JSON_TYPE],
  [['Accept: application/xml', 'Content-Type: text/html'], XML, XML],
];

for (const [lines, own, failed] of FORMS) {
  test(`form: ${lines.join(', ')}`, async () => {
    const type = async (ask: Ask): Promise<string | undefined> =>
      (await send(port, { lines, ...ask })).header('content-type');
    assert.equal(await type({ target: '/nowhere' }), own, '404');
    assert.equal(await type({ target: '/refused' }), failed, '502');
    assert.equal(await type({ method: 'TRACE' }), failed, '405');
  });
}

test('bodies of all forms', async () => {
  const body = async (accept: string): Promise<string> => {
    const response = await send(port, { target: '/nowhere', lines: [`Accept: ${accept}`] });
    return response.text().replaceAll(response.header('x-kong-request-id') ?? '?', 'ID');
  };
  const message = 'no Route matched with those values';
  assert.equal(await body('text/plain'), `${message}\nrequest_id: ID\n`);
  assert.equal(await body('application/json'), `{\n  "message":"${message}",\n  "request_id":"ID"\n}`);
  assert.match(
    await body('application/xml'),
    new RegExp(`<message>${message}</message>\n  <requestid>ID</requestid>`),
  );
  assert.match(await body('text/html'), new RegExp(`<p>${message}.</p>\n    <p>request_id: ID</p>`));
});

test('templates of the operator', async () => {
  for (const [form, type] of [
    ['html', HTML],
    ['xml', XML],
    ['plain', TEXT],
    ['json', JSON_TYPE],
  ] as const) {
    const accept = type.split(';', 1)[0];
    const response = await send(strict.proxyPort, { target: '/nowhere', lines: [`Accept: ${accept}`] });
    assert.equal(response.header('content-type'), type);
    const id = response.header('x-kong-request-id');
    assert.equal(response.text(), `${form} 100%: no Route matched with those values (${id})`);
  }
});

test('HEAD of an error: the head of GET, no body, and the connection goes on', async () => {
  await using connection = await connectRaw(port);
  for (const [target, status] of [
    ['/nowhere', 404],
    ['/refused', 502],
    ['/unknown', 503],
  ] as const) {
    connection.write(requestText({ target }));
    const get = await connection.readResponse();
    connection.write(requestText({ method: 'HEAD', target }));
    const head = await connection.readResponse({ method: 'HEAD' });
    assert.equal(head.status, status);
    assert.equal(head.header('content-length'), get.header('content-length'));
    assert.equal(head.header('content-length'), String(get.body.length));
    assert.equal(head.header('content-type'), get.header('content-type'));
    assert.equal(connection.unread.length, 0);
  }
});

test('an error answered before a body was read: the body is no request', async () => {
  await using connection = await connectRaw(port);
  const smuggled = requestText({ target: '/echo' });
  connection.write(requestText({ method: 'POST', target: '/nowhere', body: smuggled }));
  assert.equal((await connection.readResponse()).status, 404);
  connection.write(requestText({ target: '/nowhere' }));
  assert.equal((await connection.readResponse()).status, 404);
  assert.equal(connection.unread.length, 0);
});
