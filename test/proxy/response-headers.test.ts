/** What a client is told: of proxied responses, of the gateway's own, of failures after proxying began. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { KONG_VERSION, VERSION } from '../../src/lib/version.ts';
import { startGateway } from '../support/gateway.ts';
import { freePort } from '../support/ports.ts';
import type { RawResponse } from '../support/response-reader.ts';
import { send, type Ask } from './support/ask.ts';
import { answer, startPuppet } from './support/puppet.ts';
import { withSettings } from './support/settings.ts';

const puppet = await startPuppet();
const config = {
  _format_version: '3.0',
  services: [
    {
      id: '11111111-1111-4111-8111-111111111111',
      name: 'puppet',
      url: puppet.url,
      routes: [{ id: '22222222-2222-4222-8222-222222222222', name: 'proxied', paths: ['/proxied'] }],
    },
    {
      name: 'refusing',
      host: '127.0.0.1',
      port: await freePort(),
      retries: 0,
      routes: [{ name: 'failed', paths: ['/failed'] }],
    },
  ],
  routes: [{ name: 'no-service', paths: ['/no-service'] }],
};
const gateway = await startGateway({ config, settings: { allow_debug_header: 'on' } });
const port = gateway.proxyPort;

after(async () => {
  await gateway[Symbol.asyncDispose]();
  await puppet[Symbol.asyncDispose]();
});

const SELF = `sluice/${VERSION}`;
const OK = 'HTTP/1.1 200 OK\r\nServer: up/1\r\nContent-Length: 2\r\n\r\nhi';

interface Case extends Ask {
  readonly name: string;
  readonly from: string;
  readonly status?: number;
  /** Header → its values in order; [] when it must not be there. */
  readonly want: Readonly<Record<string, readonly string[]>>;
  readonly body?: string;
}

const PROXIED: readonly Case[] = [
  {
    name: 'Server of the upstream stays, Via is ours',
    from: OK,
    want: { server: ['up/1'], via: [`1.1 ${SELF}`], 'x-kong-response-latency': [], connection: [] },
  },
  {
    name: 'no Server: it is ours',
    from: 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
    want: { server: [SELF] },
  },
  {
    name: 'Via is appended to, several lines become one',
    from: 'HTTP/1.1 200 OK\r\nVia: 1.0 a\r\nvia: 1.1 b\r\nContent-Length: 0\r\n\r\n',
    want: { via: [`1.0 a, 1.1 b, 1.1 ${SELF}`] },
  },
  {
    name: 'the version in Via is not the client’s',
    version: '1.0',
    from: OK,
    want: { via: [`1.1 ${SELF}`] },
  },
  {
    name: 'Date of the upstream stays',
    from: 'HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n',
    want: { date: ['Thu, 01 Jan 1970 00:00:00 GMT'] },
  },
  {
    name: 'hop-by-hop headers, and those that Connection names, stay here',
    from: 'HTTP/1.1 200 OK\r\nConnection: X-One, keep-alive\r\nX-One: 1\r\nKeep-Alive: timeout=5\r\nUpgrade: h2c\r\nProxy-Connection: x\r\nTrailer: X-Sum\r\nTE: x\r\nX-Two: 2\r\nContent-Length: 0\r\n\r\n',
    want: {
      connection: [],
      'x-one': [],
      'keep-alive': [],
      upgrade: [],
      'proxy-connection': [],
      trailer: [],
      te: [],
      'x-two': ['2'],
    },
  },
  {
    name: 'Trailer stays for those who take trailers',
    lines: ['TE: trailers'],
    from: 'HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\n\r\n',
    want: { trailer: ['X-Sum'] },
  },
  {
    name: 'Set-Cookie lines stay lines, in order',
    from: 'HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nX: y\r\nSet-Cookie: b=2\r\nset-cookie: c=3\r\nContent-Length: 0\r\n\r\n',
    want: { 'set-cookie': ['a=1', 'b=2', 'c=3'] },
  },
  {
    name: 'what the upstream says of the gateway is replaced',
    from: 'HTTP/1.1 200 OK\r\nX-Kong-Upstream-Latency: old\r\nX-Kong-Proxy-Latency: old\r\nX-Kong-Request-Id: old\r\nContent-Length: 0\r\n\r\n',
    want: {},
  },
  {
    name: 'WWW-Authenticate and Proxy-Authenticate pass',
    from: 'HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n',
    status: 401,
    want: { 'www-authenticate': ['Basic'], 'proxy-authenticate': ['Basic'] },
  },
  {
    name: 'an error of the upstream passes untouched',
    from: 'HTTP/1.1 503 Busy\r\nContent-Type: text/x\r\nContent-Length: 4\r\nRetry-After: 1\r\n\r\nbusy',
    status: 503,
    want: { 'content-type': ['text/x'], 'retry-after': ['1'], via: [`1.1 ${SELF}`] },
    body: 'busy',
  },
  {
    name: 'bytes of a value',
    from: 'HTTP/1.1 200 OK\r\nX-Bytes: caf\xe9 \x80\xff\r\nContent-Length: 0\r\n\r\n',
    want: { 'x-bytes': ['caf\xe9 \x80\xff'] },
  },
  {
    name: 'Kong-Debug',
    lines: ['Kong-Debug: 1'],
    from: OK,
    want: {
      'kong-route-id': ['22222222-2222-4222-8222-222222222222'],
      'kong-route-name': ['proxied'],
      'kong-service-id': ['11111111-1111-4111-8111-111111111111'],
      'kong-service-name': ['puppet'],
    },
  },
  {
    name: 'Kong-Debug with another value',
    lines: ['Kong-Debug: yes'],
    from: OK,
    want: { 'kong-route-id': [], 'kong-service-name': [] },
  },
  {
    name: 'a 1.0 client that wants to stay',
    version: '1.0',
    lines: ['Connection: keep-alive'],
    from: OK,
    want: { connection: ['keep-alive'], 'content-length': ['2'] },
  },
  {
    name: 'a 1.0 client that does not, and a body of unknown length',
    version: '1.0',
    from: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n',
    want: { connection: ['close'], 'transfer-encoding': [], 'content-length': [] },
  },
  {
    name: 'a client that closes',
    lines: ['Connection: close'],
    from: OK,
    want: { connection: ['close'] },
  },
];

for (const { name, from, status = 200, want, body, ...ask } of PROXIED) {
  test(`proxied: ${name}`, async () => {
    const lines = [...(ask.lines ?? []), ...answer(from)];
    const response = await send(port, { ...ask, target: '/proxied', lines });
    assert.equal(response.status, status);
    const got = Object.fromEntries(Object.keys(want).map((header) => [header, response.all(header)]));
    assert.deepEqual(got, want);
    if (body !== undefined) assert.equal(response.text(), body);
    for (const header of ['x-kong-upstream-latency', 'x-kong-proxy-latency'])
      assert.match(response.all(header).join('|'), /^\d+$/, header);
    assert.match(response.all('x-kong-request-id').join('|'), /^[0-9a-f]{32}$/);
    assert.equal(response.all('date').length, 1);
  });
}

const OWN = ['server', 'via', 'x-kong-upstream-latency', 'x-kong-proxy-latency', 'x-kong-response-latency'];
const ALL = [...OWN, 'x-kong-request-id', 'x-kong-upstream-status'];

const KINDS: Readonly<Record<string, () => Promise<RawResponse>>> = {
  proxied: () =>
    send(port, { target: '/proxied', lines: answer('HTTP/1.1 201 C\r\nContent-Length: 0\r\n\r\n') }),
  produced: () => send(port, { target: '/nowhere' }),
  'no service': () => send(port, { target: '/no-service' }),
  failed: () => send(port, { target: '/failed' }),
  malformed: () => send(port, { lines: ['Bad Name: x'] }),
};

/** Value of `headers` → the gateway's headers on each kind of response. */
const MATRIX: ReadonlyArray<{
  readonly setting: string | null;
  readonly proxied: readonly string[];
  readonly produced: readonly string[];
  readonly failed: readonly string[];
}> = [
  {
    setting: null,
    proxied: ['server', 'via', 'x-kong-upstream-latency', 'x-kong-proxy-latency', 'x-kong-request-id'],
    produced: ['server', 'x-kong-response-latency', 'x-kong-request-id'],
    failed: ['server', 'via', 'x-kong-upstream-latency', 'x-kong-proxy-latency', 'x-kong-request-id'],
  },
  { setting: 'off', proxied: [], produced: [], failed: [] },
  { setting: 'server_tokens', proxied: ['server', 'via'], produced: ['server'], failed: ['server', 'via'] },
  {
    setting: 'latency_tokens',
    proxied: ['x-kong-upstream-latency', 'x-kong-proxy-latency'],
    produced: ['x-kong-response-latency'],
    failed: ['x-kong-upstream-latency', 'x-kong-proxy-latency'],
  },
  { setting: 'Via', proxied: ['via'], produced: [], failed: ['via'] },
  { setting: 'Server', proxied: ['server'], produced: ['server'], failed: ['server'] },
  {
    setting: 'X-Kong-Proxy-Latency',
    proxied: ['x-kong-proxy-latency'],
    produced: [],
    failed: ['x-kong-proxy-latency'],
  },
  {
    setting: 'X-Kong-Upstream-Latency',
    proxied: ['x-kong-upstream-latency'],
    produced: [],
    failed: ['x-kong-upstream-latency'],
  },
  {
    setting: 'X-Kong-Response-Latency',
    proxied: [],
    produced: ['x-kong-response-latency'],
    failed: [],
  },
  {
    setting: 'x-kong-request-id, X-KONG-UPSTREAM-STATUS',
    proxied: ['x-kong-request-id', 'x-kong-upstream-status'],
    produced: ['x-kong-request-id'],
    // As in Kong: nginx's $upstream_status is the status that it makes of a failure.
    failed: ['x-kong-request-id', 'x-kong-upstream-status'],
  },
];

for (const { setting, proxied, produced, failed } of MATRIX) {
  test(`headers = ${setting ?? '(default)'}`, async () => {
    const wanted: Record<string, readonly string[]> = {
      proxied,
      produced,
      failed,
      'no service': produced,
      malformed: produced,
    };
    await withSettings(gateway, setting === null ? {} : { headers: setting }, async () => {
      for (const [kind, ask] of Object.entries(KINDS)) {
        const response = await ask();
        const got = ALL.filter((name) => response.header(name) !== undefined);
        assert.deepEqual(got, wanted[kind], kind);
        for (const name of ALL) assert.ok(response.all(name).length < 2, `${kind}: ${name}`);
        if (got.includes('x-kong-upstream-status'))
          assert.equal(response.header('x-kong-upstream-status'), kind === 'failed' ? '502' : '201');
      }
      const kept = await send(port, { target: '/proxied', lines: answer(OK) });
      assert.deepEqual(kept.all('server'), ['up/1']);
    });
  });
}

test('server_name = kong', async () => {
  await withSettings(gateway, { server_name: 'kong' }, async () => {
    const kong = `kong/${KONG_VERSION}`;
    for (const kind of ['proxied', 'failed'])
      assert.deepEqual((await KINDS[kind]?.())?.all('via'), [`1.1 ${kong}`], kind);
    for (const kind of Object.keys(KINDS))
      assert.deepEqual((await KINDS[kind]?.())?.all('server'), [kong], kind);
  });
});

test('Kong-Debug says nothing unless allow_debug_header is on', async () => {
  await withSettings(gateway, { allow_debug_header: 'off' }, async () => {
    const response = await send(port, { target: '/proxied', lines: ['Kong-Debug: 1', ...answer(OK)] });
    assert.equal(response.status, 200);
    const names = response.headers.map(([name]) => name.toLowerCase());
    assert.deepEqual(
      names.filter((name) => name.startsWith('kong-')),
      [],
    );
  });
});
