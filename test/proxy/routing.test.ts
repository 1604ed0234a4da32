/** Routing as users see it: which route answers, which path the upstream gets, and what is refused on the way. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { freePorts } from '../support/ports.ts';
import { mirrored, send, startMirror, type Ask } from './support/ask.ts';

const mirror = await startMirror();
const address = { host: '127.0.0.1', port: mirror.port };

/** Service path, route path, strip_path, request target → target upstream with path_handling v0 and v1. */
const PATHS: ReadonlyArray<
  readonly [
    service: string | null,
    route: string | null,
    strip: boolean,
    target: string,
    v0: string,
    v1: string,
  ]
> = [
  ['/srv', '/rou', true, '/roureq', '/srv/req', '/srvreq'],
  ['/srv', '/rou', false, '/roureq', '/srv/roureq', '/srvroureq'],
  ['/srv/', '/rou', true, '/rou', '/srv', '/srv/'],
  ['/service', '/route', true, '/route/', '/service/', '/service/'],
  ['/service', '/route/', true, '/route/', '/service/', '/service'],
  ['/service', null, true, '/route', '/service/route', '/serviceroute'],
  ['/service', null, false, '/route', '/service/route', '/serviceroute'],
  ['/service', '/route', true, '/route%2E/req', '/service/req', '/servicereq'],
  [null, '/route', true, '/route', '/', '/'],
  [null, '/route', true, '/route/x', '/x', '/x'],
  [null, '/route', false, '/route/x', '/route/x', '/route/x'],
  [null, '/', true, '/', '/', '/'],
  [null, '/', true, '/x/', '/x/', '/x/'],
  ['/service', '/', true, '/', '/service', '/service'],
  ['/service', '/', false, '/', '/service', '/service'],
  ['/service/', '/', false, '/x', '/service/x', '/service/x'],
  ['/service', '/route', true, '/route?', '/service?', '/service?'],
  ['/service', '/route', true, '/route/?a=/b&c=%20d', '/service/?a=/b&c=%20d', '/service/?a=/b&c=%20d'],
  ['/service', '~/r\\d+', true, '/r12/x', '/service/x', '/service/x'],
  ['/service', '~/r\\d+', false, '/r12/x', '/service/r12/x', '/servicer12/x'],
  ['/service', '~/r(?<a>\\d+)/(?<b>.*)$', true, '/r12/x', '/service', '/service'],
];

/** Request target → target upstream, through a route on `/` without strip_path. */
const TARGETS: ReadonlyArray<readonly [target: string, upstream: string]> = [
  ['/', '/'],
  ['/?', '/?'],
  ['/a?', '/a?'],
  ['/a??', '/a??'],
  ['/a?b?c', '/a?b?c'],
  ['/a//b///c', '/a/b/c'],
  ['/a/./b/../c', '/a/c'],
  ['/../../a', '/a'],
  ['/a/..', '/'],
  ['/a/.', '/a/'],
  ['/%61%2Fb', '/a%2Fb'],
  ['/%2e%2e/a', '/a'],
  ['/a%2f', '/a%2F'],
  ['/a%20b', '/a%20b'],
  ['/caf%c3%a9', '/caf%C3%A9'],
  ['/caf\xc3\xa9', '/caf%C3%A9'],
  ['/a%25b', '/a%25b'],
  ['/a%zz', '/a%zz'],
  ['/a%', '/a%'],
  ['/%00', '/%00'],
  ['/a%0d%0aX-Evil:1', '/a%0D%0AX-Evil:1'],
  ['/a;b=c,d', '/a;b=c,d'],
  ["/!$&'()*+,;=:@~-._", "/!$&'()*+,;=:@~-._"],
  ['/"<>\\^`{|}', '/%22%3C%3E%5C%5E%60%7B%7C%7D'],
  ['/a?q=%7e%2F//../&"<>\xc3\xa9', '/a?q=%7e%2F//../&"<>\xc3\xa9'],
  ['http://targets.test/a/../b?c', '/b?c'],
  ['HTTP://targets.test', '/'],
  ['http://targets.test?x', '/?x'],
];

const paths = PATHS.map(([service, route, strip], row) => ({
  ...address,
  name: `path-${row}`,
  path: service,
  routes: ['v0', 'v1'].map((handling) => ({
    hosts: [`${handling}-${row}.test`],
    paths: route === null ? null : [route],
    strip_path: strip,
    path_handling: handling,
  })),
}));

/** A service whose path says which route was taken. */
const named = (name: string, route: Record<string, unknown>): Record<string, unknown> => ({
  ...address,
  name,
  path: `/via/${name}`,
  routes: [{ strip_path: false, name, ...route }],
});

const config = {
  _format_version: '3.0',
  services: [
    ...paths,
    { ...address, name: 'targets', routes: [{ hosts: ['targets.test'], paths: ['/'], strip_path: false }] },
    named('short', { hosts: ['match.test'], paths: ['/foo'] }),
    named('long', { hosts: ['match.test'], paths: ['/foo/bar'] }),
    named('regex', { hosts: ['match.test'], paths: ['~/foo/\\d+$'] }),
    named('post', { hosts: ['match.test'], paths: ['/foo'], methods: ['POST', 'PURGE'] }),
    named('header', { hosts: ['match.test'], paths: ['/foo'], headers: { 'X-Version': ['One', '2'] } }),
    named('header-re', { hosts: ['match.test'], paths: ['/foo'], headers: { 'x-mode': ['~*^b.ta$'] } }),
    named('upgrade', { hosts: ['match.test'], paths: ['/foo'], headers: { Upgrade: ['websocket'] } }),
    named('hop', {
      hosts: ['match.test'],
      paths: ['/hop'],
      headers: { te: ['trailers'], connection: ['~*te'] },
    }),
    named('exact-host', { hosts: ['a.wild.test'] }),
    named('left', { hosts: ['*.wild.test'] }),
    named('right', { hosts: ['wild.*'] }),
    named('ported', { hosts: ['ported.test:8888'], paths: ['/foo'] }),
    { ...named('disabled', { hosts: ['disabled.test'] }), enabled: false },
    ...[426, 301, 302, 307, 308].map((code) =>
      named(`https-${code}`, {
        hosts: [`https-${code}.test`],
        protocols: ['https'],
        https_redirect_status_code: code,
      }),
    ),
    named('secure-path', { paths: ['/secure'], protocols: ['https'], https_redirect_status_code: 301 }),
    named('http-only', { hosts: ['http-only.test'], protocols: ['http'] }),
  ],
  routes: [{ name: 'no-service', hosts: ['no-service.test'] }],
};

const byExpression = (name: string, expression: string, more = {}): Record<string, unknown> =>
  named(name, { expression, strip_path: true, ...more });

const expressionConfig = {
  _format_version: '3.0',
  services: [
    byExpression('exact', 'http.path == "/exact"', { priority: 9 }),
    byExpression('prefix', 'http.path ^= "/prefix" && any(http.queries.v) == "2"', { priority: 9 }),
    byExpression('regex', String.raw`http.path ~ r#"^/r/(?<id>\d+)"#`, { priority: 9 }),
    byExpression('either', 'http.path ^= "/either" && http.method == "PUT" || http.headers.x_e == "1"'),
    byExpression('segment', 'http.path.segments.1_2 == "b/c" && http.path.segments.len == 3'),
    byExpression('host', 'http.host != "h.test"', { priority: 1 }),
    byExpression('secure', 'http.path == "/secure"', {
      protocols: ['https'],
      https_redirect_status_code: 307,
    }),
  ],
};

/** A listener without a mapping and one that its clients know as 8443. */
const [bare = 0, mapped = 0] = await freePorts(2);
const portConfig = {
  _format_version: '3.0',
  services: [
    named('bare', { hosts: [`port.test:${bare}`] }),
    named('inner', { hosts: [`port.test:${mapped}`] }),
    named('public', { hosts: ['port.test:8443'] }),
  ],
};

const [gateway, trusting, traditional, expressions, ported] = await Promise.all([
  startGateway({ config }),
  startGateway({ config, settings: { trusted_ips: '127.0.0.1' } }),
  startGateway({ config, settings: { router_flavor: 'traditional' } }),
  startGateway({ config: expressionConfig, settings: { router_flavor: 'expressions' } }),
  startGateway({
    config: portConfig,
    settings: { proxy_listen: `127.0.0.1:${bare}, 127.0.0.1:${mapped}`, port_maps: `8443:${mapped}` },
  }),
]);
const port = gateway.proxyPort;

after(async () => {
  for (const each of [gateway, trusting, traditional, expressions, ported]) await each[Symbol.asyncDispose]();
  await mirror[Symbol.asyncDispose]();
});

for (const [row, [service, route, strip, target, v0, v1]] of PATHS.entries()) {
  const rule = `${service ?? '-'} ${route ?? '-'} ${strip ? 'strip' : 'keep'} ${target}`;
  test(`path: ${rule} -> ${v0} or ${v1}`, async () => {
    const seen = async (to: number, handling: string): Promise<string> =>
      (await mirrored(to, { host: `${handling}-${row}.test`, target })).target;
    assert.equal(await seen(port, 'v0'), v0);
    assert.equal(await seen(port, 'v1'), v0, 'v1 without the traditional flavour');
    assert.equal(await seen(traditional.proxyPort, 'v0'), v0, 'traditional, v0');
    assert.equal(await seen(traditional.proxyPort, 'v1'), v1, 'traditional, v1');
  });
}

for (const [target, upstream] of TARGETS) {
  test(`target: ${target} -> ${upstream}`, async () => {
    const seen = await mirrored(port, { host: 'targets.test', target });
    assert.equal(seen.target, upstream);
    assert.equal(seen.one('x-evil'), undefined);
  });
}

const MATCHES: ReadonlyArray<Ask & { readonly route: string | null }> = [
  { route: 'short', target: '/foo' },
  { route: 'short', target: '/foobar' },
  { route: 'short', target: '/foo/ba' },
  { route: 'short', target: '/x/../foo' },
  { route: 'short', target: '/%66oo' },
  { route: null, target: '/fo' },
  { route: null, target: '/FOO' },
  { route: null, target: '/' },
  { route: 'long', target: '/foo/bar/' },
  { route: 'regex', target: '/foo/12' },
  { route: 'short', target: '/foo/12/' },
  { route: 'post', target: '/foo', method: 'POST', body: '' },
  { route: 'post', target: '/foo', method: 'PURGE' },
  { route: 'short', target: '/foo', method: 'PUT', body: '' },
  { route: 'header', target: '/foo', lines: ['x-version: one'] },
  { route: 'header', target: '/foo', lines: ['X-VERSION: 9', 'x-version: 2'] },
  { route: 'short', target: '/foo', lines: ['x-version: 22'] },
  { route: 'header-re', target: '/foo', lines: ['X-Mode: Beta'] },
  { route: 'short', target: '/foo', lines: ['X-Mode: alphabeta'] },
  { route: 'upgrade', target: '/foo', lines: ['Connection: Upgrade', 'Upgrade: WebSocket'] },
  { route: 'upgrade', target: '/foo', lines: ['Upgrade: websocket'] },
  { route: 'hop', target: '/hop', lines: ['Connection: TE', 'TE: trailers'] },
  { route: 'header', target: '/foo', lines: ['Connection: x-version', 'x-version: one'] },
  { route: null, target: '/hop', lines: ['TE: trailers'] },
  { route: 'short', target: '/foo', host: 'match.test:80' },
  { route: 'short', target: '/foo', host: 'match.test:8888' },
  { route: 'ported', target: '/foo', host: 'ported.test:8888' },
  { route: null, target: '/foo', host: 'ported.test:8889' },
  { route: null, target: '/foo', host: 'ported.test' },
  { route: null, target: '/foo', host: 'MATCH.test' },
  { route: null, target: '/foo', host: 'other.test' },
  { route: 'exact-host', host: 'a.wild.test' },
  { route: 'left', host: 'b.c.wild.test:99' },
  { route: 'right', host: 'wild.example' },
  { route: null, host: 'disabled.test' },
  { route: 'http-only', host: 'http-only.test' },
];

for (const { route, ...ask } of MATCHES) {
  const { method = 'GET', host = 'match.test', target = '/', lines = [] } = ask;
  test(`match: ${method} ${host}${target} ${lines.join(', ')} -> ${route ?? 'none'}`, async () => {
    if (route === null) {
      const response = await send(port, { ...ask, host });
      assert.equal(response.status, 404);
      assert.equal(response.header('content-type'), 'application/json; charset=utf-8');
      const id = response.header('x-kong-request-id') ?? '';
      const body = `{\n  "message":"no Route matched with those values",\n  "request_id":"${id}"\n}`;
      assert.equal(response.text(), body);
      assert.equal(response.header('connection'), undefined);
    } else {
      const seen = await mirrored(port, { ...ask, host });
      assert.match(seen.target, new RegExp(`^/via/${route}(/|$)`));
    }
  });
}

const BY_PORT: ReadonlyArray<readonly [to: number, host: string, route: string | null]> = [
  [bare, 'port.test', 'bare'],
  [bare, 'port.test:8443', 'public'],
  [mapped, 'port.test', 'public'],
  [mapped, `port.test:${mapped}`, 'inner'],
  [mapped, 'port.test:1', null],
];

for (const [to, host, route] of BY_PORT) {
  const listener = to === mapped ? 'mapped' : 'bare';
  test(`port: ${host.replace(/\d{5}$/, 'own')} at the ${listener} listener -> ${route ?? 'none'}`, async () => {
    if (route === null) assert.equal((await send(to, { host })).status, 404);
    else assert.equal((await mirrored(to, { host })).target, `/via/${route}`);
  });
}

/** The target upstream says the route and what of the path was stripped; null: 404. */
const BY_EXPRESSION: ReadonlyArray<Ask & { readonly upstream: string | null }> = [
  { upstream: '/via/exact', target: '/exact' },
  { upstream: null, target: '/exact/x' },
  { upstream: '/via/prefix/x?v=1&v=2', target: '/prefix/x?v=1&v=2' },
  { upstream: null, target: '/prefix/x?v=1' },
  { upstream: '/via/regex/x', target: '/r/12/x' },
  { upstream: null, target: '/either' },
  { upstream: '/via/either/x', target: '/either/x', method: 'PUT', body: '' },
  { upstream: '/via/either', target: '/either', lines: ['X-E: 1'] },
  { upstream: null, lines: ['X-E: 1'] },
  { upstream: '/via/segment/a/b/c/', target: '/a/b/c/' },
  { upstream: null, target: '/a/b/c/d' },
  { upstream: '/via/host/a/b/c', target: '/a/b/c', host: 'other.test' },
  { upstream: null, host: null, version: '1.0' },
];

for (const { upstream, ...ask } of BY_EXPRESSION) {
  const { method = 'GET', host = 'h.test', target = '/', lines = [] } = ask;
  test(`expression: ${method} ${host}${target} ${lines.join(', ')} -> ${upstream ?? 'none'}`, async () => {
    if (upstream === null) assert.equal((await send(expressions.proxyPort, { ...ask, host })).status, 404);
    else assert.equal((await mirrored(expressions.proxyPort, { ...ask, host })).target, upstream);
  });
}

test('an expression for https alone redirects', async () => {
  const response = await send(expressions.proxyPort, { host: 'h.test', target: '/secure' });
  assert.equal(response.status, 307);
  assert.equal(response.header('location'), 'https://h.test/secure');
});

test('a route without service', async () => {
  const response = await send(port, { host: 'no-service.test' });
  assert.equal(response.status, 503);
  assert.equal((response.json() as { message: string }).message, 'no Service found with those values');
});

test('https only: 426 over http', async () => {
  const response = await send(port, { host: 'https-426.test', target: '/x?y' });
  assert.equal(response.status, 426);
  assert.deepEqual(response.all('connection'), ['Upgrade']);
  assert.deepEqual(response.all('upgrade'), ['TLS/1.2, HTTP/1.1']);
  assert.equal((response.json() as { message: string }).message, 'Please use HTTPS protocol');
  assert.equal(response.header('location'), undefined);
});

for (const code of [301, 302, 307, 308]) {
  test(`https only: ${code} over http`, async () => {
    const target = '/a/../b//c?x=%20#'.slice(0, -1);
    const response = await send(port, { host: `https-${code}.test:8000`, target });
    assert.equal(response.status, code);
    assert.deepEqual(response.all('location'), [`https://https-${code}.test${target}`]);
    assert.equal(response.body.length, 0);
    assert.equal(response.header('content-length'), '0');
    assert.equal(response.header('connection'), undefined);
  });
}

test('https only: Location has the host in lower case, the own address without a Host', async () => {
  const named = await send(port, { host: 'Shop.TEST:80', target: '/secure' });
  assert.equal(named.header('location'), 'https://shop.test/secure');
  const unnamed = await send(port, { host: null, version: '1.0', target: '/secure' });
  assert.equal(unnamed.header('location'), 'https://127.0.0.1/secure');
});

const FORWARDED: ReadonlyArray<{
  readonly name: string;
  readonly trusted: boolean;
  readonly lines: readonly string[];
  readonly location: string | null;
}> = [
  { name: 'untrusted', trusted: false, lines: ['X-Forwarded-Proto: https'], location: 'https-301.test' },
  { name: 'trusted', trusted: true, lines: ['X-Forwarded-Proto: https'], location: null },
  { name: 'trusted, capitals', trusted: true, lines: ['X-Forwarded-Proto: HTTPS'], location: null },
  { name: 'trusted, http', trusted: true, lines: ['X-Forwarded-Proto: http'], location: 'https-301.test' },
  { name: 'trusted, host', trusted: true, lines: ['X-Forwarded-Host: front.test'], location: 'front.test' },
  {
    name: 'untrusted, host',
    trusted: false,
    lines: ['X-Forwarded-Host: evil.test'],
    location: 'https-301.test',
  },
];

for (const { name, trusted, lines, location } of FORWARDED) {
  test(`https only behind a proxy: ${name}: ${lines.join()}`, async () => {
    const to = trusted ? trusting.proxyPort : port;
    const response = await send(to, { host: 'https-301.test', target: '/x', lines });
    assert.equal(response.status, location === null ? 200 : 301);
    assert.equal(response.header('location'), location === null ? undefined : `https://${location}/x`);
  });
}
