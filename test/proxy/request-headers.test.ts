/** What an upstream is told of the client: Host, forwarded headers, Via, request id; what is taken out, what stays. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { KONG_VERSION, VERSION } from '../../src/lib/version.ts';
import { startGateway } from '../support/gateway.ts';
import { freePorts } from '../support/ports.ts';
import { connectRaw } from '../support/raw-client.ts';
import { mirrored, requestText, SeenHead, startMirror, type Ask } from './support/ask.ts';
import { withSettings } from './support/settings.ts';

const mirror = await startMirror();
const PORT = mirror.port;
const config = {
  _format_version: '3.0',
  services: [
    {
      host: '127.0.0.1',
      port: PORT,
      name: 'mirror',
      path: '/base',
      routes: [
        { name: 'all', paths: ['/'], strip_path: false },
        { name: 'strip', paths: ['/strip', '~/re/(?<id>\\d+)', '~/any/[^!]+'] },
        { name: 'root', paths: ['/'], headers: { 'x-strip': ['root'] } },
        { name: 'host', paths: ['/preserve'], preserve_host: true },
        { name: 'no-paths', methods: ['OPTIONS'], hosts: ['star.test'] },
      ],
    },
    { name: 'named', host: 'LocalHost', port: PORT, routes: [{ name: 'named', paths: ['/named'] }] },
  ],
};
const [mappedPort = 0, sixPort = 0, quietPort = 0] = await freePorts(3);
const gateways = await Promise.all([
  startGateway({ config }),
  startGateway({
    config,
    settings: {
      trusted_ips: '127.0.0.0/8,::1',
      proxy_listen: `127.0.0.1:${mappedPort}, [::1]:${sixPort}`,
      port_maps: `443:${mappedPort}`,
    },
  }),
  startGateway({
    config,
    settings: {
      trusted_ips: '127.0.0.1,10.0.0.0/8,2001:db8::/32',
      real_ip_header: 'X-Forwarded-For',
      real_ip_recursive: 'on',
      headers_upstream: 'off',
      server_name: 'kong',
      proxy_listen: `127.0.0.1:${quietPort}`,
    },
  }),
]);
const plain = gateways[0].proxyPort;
const trusting = mappedPort;
const recursive = quietPort;

after(async () => {
  for (const gateway of gateways) await gateway[Symbol.asyncDispose]();
  await mirror[Symbol.asyncDispose]();
});

const TOKEN = `sluice/${VERSION}`;

interface Case extends Ask {
  readonly name: string;
  readonly to?: number;
  /** Header → its one value, or undefined when the upstream must not see it. */
  readonly want: Readonly<Record<string, string | undefined>>;
}

const CASES: readonly Case[] = [
  {
    name: 'a plain request',
    target: '/some/path?x=1&path=/y',
    want: {
      host: `127.0.0.1:${PORT}`,
      connection: 'keep-alive',
      'x-real-ip': '127.0.0.1',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': 'example.test',
      'x-forwarded-port': String(plain),
      'x-forwarded-path': '/some/path',
      'x-forwarded-prefix': undefined,
      via: `1.1 ${TOKEN}`,
      upgrade: undefined,
      te: undefined,
      'transfer-encoding': undefined,
      'content-length': undefined,
    },
  },
  {
    name: 'Host with a port and capitals',
    host: 'Example.TEST:8080',
    want: { 'x-forwarded-host': 'example.test', 'x-forwarded-port': String(plain) },
  },
  {
    name: 'an absolute name: its dot is none of the host, as in nginx',
    target: '/preserve',
    host: 'Example.TEST.:8080',
    want: { host: 'Example.TEST.:8080', 'x-forwarded-host': 'example.test' },
  },
  { name: 'Host is an IPv6 address', host: '[::1]:8080', want: { 'x-forwarded-host': '[::1]' } },
  {
    name: 'preserve_host',
    target: '/preserve',
    host: 'Example.TEST:8080',
    want: { host: 'Example.TEST:8080', 'x-forwarded-host': 'example.test' },
  },
  {
    name: 'preserve_host without any Host',
    target: '/preserve',
    host: null,
    version: '1.0',
    want: { host: `127.0.0.1:${PORT}`, via: `1.0 ${TOKEN}`, 'x-forwarded-host': undefined },
  },
  { name: "the service's name as written", target: '/named', want: { host: `LocalHost:${PORT}` } },
  {
    name: 'absolute-form: its authority counts',
    target: 'http://other.test:81/preserve/x?y',
    host: 'example.test',
    want: { host: 'other.test:81', 'x-forwarded-host': 'other.test', 'x-forwarded-path': '/preserve/x' },
  },
  {
    name: 'untrusted peer: nothing that it says of itself counts',
    target: '/strip/x',
    lines: [
      'X-Real-IP: 1.1.1.1',
      'X-Forwarded-Proto: https',
      'X-Forwarded-Host: evil.test',
      'x-forwarded-port: 443',
      'X-FORWARDED-PATH: /evil',
      'X-Forwarded-Prefix: /evil',
    ],
    want: {
      'x-real-ip': '127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': 'example.test',
      'x-forwarded-port': String(plain),
      'x-forwarded-path': '/strip/x',
      'x-forwarded-prefix': '/strip',
    },
  },
  {
    name: 'untrusted peer: a prefix where nothing was stripped',
    lines: ['X-Forwarded-Prefix: /evil'],
    want: { 'x-forwarded-prefix': undefined },
  },
  {
    name: 'X-Forwarded-For of an untrusted peer is kept and appended to',
    lines: ['X-Forwarded-For: 10.0.0.1, 10.0.0.2', 'x-forwarded-for: 2001:db8::1'],
    want: { 'x-forwarded-for': '10.0.0.1, 10.0.0.2, 2001:db8::1, 127.0.0.1', 'x-real-ip': '127.0.0.1' },
  },
  { name: 'prefix of a plain path', target: '/stripped/x', want: { 'x-forwarded-prefix': '/strip' } },
  { name: 'prefix of a regex path', target: '/re/42/x', want: { 'x-forwarded-prefix': '/re/42' } },
  {
    name: 'a prefix with bytes that no header may have',
    target: '/any/%0d%0aX-Evil:%20caf%C3%A9',
    want: { 'x-forwarded-prefix': '/any/%0D%0AX-Evil:%20caf%C3%A9', 'x-evil': undefined },
  },
  {
    name: 'the prefix / is none',
    lines: ['X-Strip: root'],
    target: '/a',
    want: { 'x-forwarded-prefix': undefined },
  },
  {
    name: 'the path is the one received',
    target: '/strip/%7e/a/../b//c?q=/d',
    want: { 'x-forwarded-path': '/strip/%7e/a/../b//c', 'x-forwarded-prefix': '/strip' },
  },
  { name: 'Via is appended to', lines: ['Via: 1.0 fred'], want: { via: `1.0 fred, 1.1 ${TOKEN}` } },
  {
    name: 'several Via lines become one',
    lines: ['Via: 1.0 fred, 2 bob', 'via: 1.1 eve'],
    want: { via: `1.0 fred, 2 bob, 1.1 eve, 1.1 ${TOKEN}` },
  },
  {
    name: 'trusted peer without headers',
    to: trusting,
    want: {
      'x-real-ip': '127.0.0.1',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': 'example.test',
      'x-forwarded-port': '443',
      'x-forwarded-path': '/',
    },
  },
  {
    name: 'trusted peer: what it says is kept',
    to: trusting,
    target: '/strip/x',
    lines: [
      'X-Real-IP: 10.9.8.7',
      'X-Forwarded-For: 10.0.0.1',
      'X-Forwarded-Proto: https',
      'X-Forwarded-Host: Front.test:444',
      'X-Forwarded-Port: 444',
      'X-Forwarded-Path: /front/strip/x',
      'X-Forwarded-Prefix: /front',
    ],
    want: {
      'x-real-ip': '10.9.8.7',
      'x-forwarded-for': '10.0.0.1, 127.0.0.1',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'Front.test:444',
      'x-forwarded-port': '444',
      'x-forwarded-path': '/front/strip/x',
      'x-forwarded-prefix': '/front',
    },
  },
  {
    name: 'trusted peer: of several lines the first counts, for the gateway and for the upstream',
    to: trusting,
    target: '/strip/x',
    lines: ['Proto', 'Host', 'Port', 'Path', 'Prefix'].flatMap((name) => [
      `X-Forwarded-${name}: first`,
      `x-forwarded-${name}: second`,
    ]),
    want: {
      'x-forwarded-proto': 'first',
      'x-forwarded-host': 'first',
      'x-forwarded-port': 'first',
      'x-forwarded-path': 'first',
      'x-forwarded-prefix': 'first',
    },
  },
  {
    name: 'trusted peer: X-Forwarded-For is not the real_ip_header',
    to: trusting,
    lines: ['X-Forwarded-For: 10.0.0.1'],
    want: { 'x-real-ip': '127.0.0.1', 'x-forwarded-for': '10.0.0.1, 127.0.0.1' },
  },
  {
    name: 'trusted peer: an IPv6 client with a port',
    to: trusting,
    lines: ['X-Real-IP: [2001:DB8:0::9]:5555'],
    want: { 'x-real-ip': '2001:db8::9', 'x-forwarded-for': '2001:db8::9' },
  },
  {
    name: 'trusted peer: nonsense in X-Real-IP',
    to: trusting,
    lines: ['X-Real-IP: someone'],
    want: { 'x-real-ip': '127.0.0.1' },
  },
  {
    name: 'recursive: trusted addresses are skipped from the right, over lines',
    to: recursive,
    lines: ['X-Forwarded-For: 6.6.6.6, 203.0.113.7', 'X-Forwarded-For: 10.1.1.1, 2001:db8::7'],
    want: {
      'x-real-ip': '203.0.113.7',
      'x-forwarded-for': '6.6.6.6, 203.0.113.7, 10.1.1.1, 2001:db8::7, 127.0.0.1',
    },
  },
  {
    name: 'recursive: all are trusted, the leftmost stands',
    to: recursive,
    lines: ['X-Forwarded-For: 10.1.1.1, 10.2.2.2'],
    want: { 'x-real-ip': '10.1.1.1' },
  },
  {
    name: 'headers_upstream = off and server_name = kong',
    to: recursive,
    lines: ['X-Kong-Request-Id: from-client'],
    want: { 'x-kong-request-id': 'from-client', via: `1.1 kong/${KONG_VERSION}` },
  },
  {
    name: 'hop-by-hop headers, and those that Connection names, stay here',
    lines: [
      'Connection: X-One, close',
      'connection: x-two',
      'X-One: 1',
      'X-Two: 2',
      'x-one: 3',
      'Keep-Alive: timeout=5',
      'Proxy: http://evil.test',
      'Proxy-Connection: keep-alive',
      'TE: gzip',
      'Trailer: X-Sum',
      'Upgrade: h2c',
      'X-Three: 3',
    ],
    want: {
      connection: 'keep-alive',
      'x-one': undefined,
      'x-two': undefined,
      'keep-alive': undefined,
      proxy: undefined,
      'proxy-connection': undefined,
      te: undefined,
      trailer: undefined,
      upgrade: undefined,
      'x-three': '3',
    },
  },
  {
    name: 'Connection cannot take out what the gateway itself says',
    lines: ['Connection: X-Real-IP, X-Forwarded-For, Via, Host, X-Forwarded-Host'],
    want: {
      host: `127.0.0.1:${PORT}`,
      'x-real-ip': '127.0.0.1',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-host': 'example.test',
      via: `1.1 ${TOKEN}`,
    },
  },
  {
    name: 'an upgrade to anything but websocket is none',
    lines: ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQ'],
    want: { connection: 'keep-alive', upgrade: undefined, 'http2-settings': undefined },
  },
  { name: 'TE: of it only trailers', lines: ['TE: trailers, gzip;q=0.5'], want: { te: 'trailers' } },
  {
    name: 'credentials for proxies are for upstreams, too',
    lines: ['Proxy-Authorization: Basic eDp5', 'Authorization: Bearer z'],
    want: { 'proxy-authorization': 'Basic eDp5', authorization: 'Bearer z' },
  },
  {
    name: 'underscores are no reason to drop a header',
    lines: ['X_Under_Score: 1', 'X_Real_IP: 6.6.6.6', '_: 2'],
    want: { x_under_score: '1', x_real_ip: '6.6.6.6', _: '2', 'x-real-ip': '127.0.0.1' },
  },
  { name: 'an empty value', lines: ['X-Empty:', 'X-Blank: \t '], want: { 'x-empty': '', 'x-blank': '' } },
  {
    name: 'Content-Length: 0 stays',
    method: 'POST',
    body: '',
    want: { 'content-length': '0', 'transfer-encoding': undefined },
  },
  {
    name: 'no length is made up for a POST without a body',
    method: 'POST',
    want: { 'content-length': undefined, 'transfer-encoding': undefined },
  },
];

for (const { name, to = plain, want, ...ask } of CASES) {
  test(`upstream head: ${name}`, async () => {
    const seen = await mirrored(to, ask);
    const got = Object.fromEntries(Object.keys(want).map((header) => [header, seen.one(header)]));
    assert.deepEqual(got, want);
  });
}

test('each request has an id of its own, the same upstream and downstream', async () => {
  await using connection = await connectRaw(plain);
  const ids = new Set<string>();
  for (let i = 0; i < 3; i++) {
    connection.write(requestText({ lines: ['X-Kong-Request-Id: from-client'] }));
    const response = await connection.readResponse();
    const id = new SeenHead(response.body.toString('latin1')).one('x-kong-request-id') ?? '';
    assert.match(id, /^[0-9a-f]{32}$/);
    assert.deepEqual(response.all('x-kong-request-id'), [id]);
    ids.add(id);
  }
  assert.equal(ids.size, 3);
});

test('lines keep their bytes, case and order', async () => {
  const lines = [
    'accept: */*',
    'X-Dup: 1',
    'COOKIE: a=1',
    'x-dup:  two words ',
    'Cookie: b=2',
    'X-Bytes: caf\xe9 \x80\xff "quoted" \t tab',
    'X-DUP: 3',
    'User-Agent: t',
  ];
  const seen = await mirrored(plain, { lines });
  const own = new Set(['host', 'connection', 'via', 'x-real-ip', 'x-kong-request-id']);
  const kept = seen.lines.filter((line) => {
    const name = line.slice(0, line.indexOf(':')).toLowerCase();
    return !own.has(name) && !name.startsWith('x-forwarded-');
  });
  assert.deepEqual(
    kept.map((line) => line.replace(/:\s*/, ': ').trimEnd()),
    lines.map((line) => line.replace(/:\s*/, ': ').trimEnd()),
  );
});

test('more than a hundred headers arrive', async () => {
  const lines = Array.from({ length: 150 }, (_, i) => `X-Many-${i}: ${i}`);
  const seen = await mirrored(plain, { lines });
  assert.deepEqual(
    seen.lines.filter((line) => line.startsWith('X-Many-')),
    lines,
  );
});

test('OPTIONS * goes as it is', async () => {
  const seen = await mirrored(plain, { method: 'OPTIONS', target: '*', host: 'star.test' });
  assert.equal(`${seen.method} ${seen.target}`, 'OPTIONS *');
});

test('over IPv6: addresses without brackets, the port of that listener', async () => {
  await using connection = await connectRaw(sixPort, '::1');
  connection.write(requestText({ host: `[::1]:${sixPort}`, lines: ['X-Real-IP: 2001:0db8::1'] }));
  const response = await connection.readResponse();
  const seen = new SeenHead(response.body.toString('latin1'));
  assert.equal(seen.one('x-forwarded-host'), '[::1]');
  assert.equal(seen.one('x-forwarded-port'), String(sixPort));
  assert.equal(seen.one('x-real-ip'), '2001:db8::1');
});

test('whom a reload trusts, and what it maps, counts for connections that are open already', async () => {
  await using connection = await connectRaw(plain);
  const ask = requestText({ lines: ['X-Real-IP: 10.9.8.7', 'X-Forwarded-Proto: https'] });
  const seen = async (): Promise<readonly (string | undefined)[]> => {
    connection.write(ask);
    const head = new SeenHead((await connection.readResponse()).body.toString('latin1'));
    return ['x-real-ip', 'x-forwarded-proto', 'x-forwarded-port'].map((name) => head.one(name));
  };
  const stranger = ['127.0.0.1', 'http', String(plain)];
  assert.deepEqual(await seen(), stranger);
  await withSettings(gateways[0], { trusted_ips: '127.0.0.1', port_maps: `443:${plain}` }, async () => {
    assert.deepEqual(await seen(), ['10.9.8.7', 'https', '443']);
  });
  await gateways[0].reload();
  assert.deepEqual(await seen(), stranger);
});
