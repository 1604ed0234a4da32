/** The resolver on a real name server: what goes over the wire, and what c-ares makes of the answers. */
import assert from 'node:assert/strict';
import dns from 'node:dns';
import { connect } from 'node:net';
import { test, type TestContext } from 'node:test';
import { createResolver, type DnsSettings } from '../src/balancer/resolver/create-resolver.ts';
import { DnsError, type ResolvedName, type Resolver } from '../src/balancer/resolver/resolver.ts';
import { startPlane } from './support/data-plane.ts';
import { type DnsServer, startDnsServer } from './support/dns-server.ts';
import { rawRequest } from './support/raw-client.ts';
import { startEcho } from './support/upstream.ts';
import { waitFor } from './support/wait.ts';

const SETTINGS: DnsSettings = {
  dns_resolver: [],
  dns_hostsfile: '/nonexistent/hosts',
  dns_order: ['LAST', 'SRV', 'A', 'CNAME'],
  dns_valid_ttl: null,
  dns_stale_ttl: 3600,
  dns_cache_size: 1000,
  dns_not_found_ttl: 30,
  dns_error_ttl: 1,
  dns_refresh_ahead: true,
};

interface Bench extends Disposable {
  readonly resolver: Resolver;
  /** Moves the cache's clock, milliseconds. */
  advance(milliseconds: number): void;
  readonly warnings: readonly string[];
}

function bench(
  server: DnsServer,
  settings: Partial<DnsSettings> = {},
  search: readonly string[] = [],
): Bench {
  const warnings: string[] = [];
  let now = 0;
  const resolver = createResolver(
    { ...SETTINGS, dns_resolver: [server.address], ...settings },
    (line) => warnings.push(line),
    {
      now: () => now,
      random: () => 0,
      resolvConf: { servers: [], rotate: false, search, ndots: 2, timeout: 2000, attempts: 1 },
    },
  );
  return {
    resolver,
    warnings,
    advance: (milliseconds) => void (now += milliseconds),
    [Symbol.dispose]: () => resolver.close(),
  };
}

async function outcome(resolver: Resolver, host: string): Promise<string> {
  try {
    const name = await resolver.resolve(host);
    return `${shown(name)} until ${name.expiresAt}`;
  } catch (error) {
    assert.ok(error instanceof DnsError);
    return error.code;
  }
}

function shown(name: ResolvedName): string {
  return name.addresses.map(({ ip, port }) => (port === null ? ip : `${ip}:${port}`)).join(' ');
}

const A_MANY = Array.from({ length: 100 }, (_, i) => ({ type: 'A', ip: `10.1.1.${i + 100}` }) as const);

const ZONE: DnsServer['zone'] = {
  'A a.example.test': [
    { type: 'A', ip: '10.0.0.2', ttl: 50 },
    { type: 'A', ip: '10.0.0.1', ttl: 40 },
  ],
  'AAAA six.example.test': [{ type: 'AAAA', ip: '2001:db8::1', ttl: 30 }],
  'SRV srv.example.test': [
    { type: 'SRV', target: 'a.example.test', port: 8080, priority: 1, weight: 0 },
    { type: 'SRV', target: 'b.example.test', port: 9090, priority: 1, weight: 2 },
    { type: 'SRV', target: 'a.example.test', port: 1, priority: 2 },
  ],
  'A b.example.test': [{ type: 'A', ip: '10.0.0.3', ttl: 10 }],
  // A server that resolves aliases puts the chain into the answer.
  'A alias.example.test': [
    { type: 'CNAME', target: 'b.example.test', ttl: 5 },
    { type: 'A', ip: '10.0.0.3', ttl: 10, name: 'b.example.test' },
  ],
  // One that does not.
  'CNAME bare.example.test': [{ type: 'CNAME', target: 'b.example.test' }],
  'A bare.example.test': [],
  'A svc.ns.cluster.test': [{ type: 'A', ip: '10.0.0.4' }],
  'A large.example.test': { truncate: A_MANY },
  'A broken.example.test': 'servfail',
  'A silent.example.test': 'drop',
  'A zero.example.test': [{ type: 'A', ip: '10.0.0.5', ttl: 0 }],
};

const CASES: ReadonlyArray<readonly [host: string, outcome: string, order?: readonly string[]]> = [
  ['a.example.test', '10.0.0.1 10.0.0.2 until 40000'],
  ['A.Example.TEST.', '10.0.0.1 10.0.0.2 until 40000'],
  ['six.example.test', '2001:db8::1 until 30000', ['A', 'AAAA']],
  ['six.example.test', 'empty', ['A']],
  ['srv.example.test', '10.0.0.1:8080 10.0.0.2:8080 10.0.0.3:9090 until 10000'],
  ['alias.example.test', '10.0.0.3 until 5000'],
  ['bare.example.test', '10.0.0.3 until 10000'],
  ['bare.example.test', 'empty', ['A']],
  ['svc', '10.0.0.4 until 60000'],
  ['large.example.test', `${A_MANY.map(({ ip }) => ip).join(' ')} until 60000`],
  ['broken.example.test', 'server_failure'],
  ['silent.example.test', 'timeout', ['A']],
  ['zero.example.test', '10.0.0.5 until 0'],
  ['unknown.example.test', 'name_error'],
  ['10.9.9.9', '10.9.9.9 until Infinity'],
  ['[::1]', '::1 until Infinity'],
];

test('answers of every kind', async () => {
  await using server = await startDnsServer(ZONE);
  for (const [host, expected, dns_order] of CASES) {
    using b = bench(server, dns_order === undefined ? {} : { dns_order }, ['ns.cluster.test']);
    assert.equal(await outcome(b.resolver, host), expected, host);
  }
});

test('a truncated answer is asked for again over TCP', async () => {
  await using server = await startDnsServer(ZONE);
  using b = bench(server, { dns_order: ['A'] });
  await b.resolver.resolve('large.example.test');
  assert.deepEqual(server.asked, ['A large.example.test', 'A large.example.test tcp']);
});

test('what is asked, once for all who wait, and again before the TTL ends', async () => {
  await using server = await startDnsServer({ ...ZONE });
  using b = bench(server, {}, ['x.test']);
  await Promise.all(Array.from({ length: 20 }, () => b.resolver.resolve('a.example.test')));
  assert.deepEqual(server.asked, ['SRV a.example.test', 'A a.example.test']);
  for (let i = 0; i < 20; i++) assert.notEqual(b.resolver.peek('a.example.test'), null);
  assert.equal(server.asked.length, 2);
  server.zone['A a.example.test'] = [{ type: 'A', ip: '10.0.0.9' }];
  b.advance(33_000);
  assert.equal(shown(b.resolver.peek('a.example.test')!), '10.0.0.1 10.0.0.2');
  await waitFor(() => shown(b.resolver.peek('a.example.test')!) === '10.0.0.9', { what: 'the refresh' });
  assert.deepEqual(
    server.asked.slice(2),
    ['A a.example.test'],
    'LAST: the type that worked, and no cache below ours',
  );
});

test('a name server that goes away and comes back', async () => {
  let server = await startDnsServer({ ...ZONE });
  const { port } = server;
  using b = bench(server, { dns_order: ['A'], dns_error_ttl: 1 });
  assert.equal(await outcome(b.resolver, 'a.example.test'), '10.0.0.1 10.0.0.2 until 40000');
  await server[Symbol.asyncDispose]();
  b.advance(60_000);
  assert.equal(shown(b.resolver.peek('a.example.test')!), '10.0.0.1 10.0.0.2');
  await waitFor(() => b.warnings.length === 1, { what: 'the failed refresh' });
  assert.match(b.warnings[0]!, /^dns: a\.example\.test could not be refreshed: dns (timeout|server failure)/);
  assert.match(await outcome(b.resolver, 'b.example.test'), /^(timeout|server_failure)$/);
  assert.equal(shown(b.resolver.peek('a.example.test')!), '10.0.0.1 10.0.0.2');
  server = await startDnsServer({ 'A a.example.test': [{ type: 'A', ip: '10.0.0.7' }] }, port);
  await using _server = server;
  b.advance(2000);
  await waitFor(() => shown(b.resolver.peek('a.example.test')!) === '10.0.0.7', { what: 'the new address' });
});

test('a swallowed SRV query costs one time-out, and LAST remembers', async () => {
  await using server = await startDnsServer({ ...ZONE, 'SRV a.example.test': 'drop' });
  using b = bench(server);
  assert.equal(await outcome(b.resolver, 'a.example.test'), '10.0.0.1 10.0.0.2 until 40000');
  b.advance(41_000);
  b.resolver.peek('a.example.test');
  await waitFor(() => b.resolver.peek('a.example.test')!.expiresAt === 81_000, { what: 'the refresh' });
  assert.equal(server.asked.at(-1), 'A a.example.test');
  assert.equal(server.asked.filter((query) => query.startsWith('SRV')).length, 1);
});

test('a resolver that is closed leaves nobody waiting', async () => {
  await using server = await startDnsServer({ 'A x.test': 'drop', 'SRV x.test': 'drop' });
  const { resolver } = bench(server);
  const waiting = outcome(resolver, 'x.test');
  await waitFor(() => server.asked.length > 0, { what: 'the query' });
  resolver.close();
  assert.equal(await waiting, 'server_failure');
  assert.deepEqual(server.asked, ['SRV x.test'], 'nothing is asked after the end');
});

test('requests to names take the port of SRV, and getaddrinfo is never asked', async (t: TestContext) => {
  await using echo = await startEcho();
  await using server = await startDnsServer({
    'SRV srv.test': [{ type: 'SRV', target: 'a.test', port: echo.port }],
    'A a.test': [{ type: 'A', ip: '127.0.0.1' }],
  });
  const settings = { dns_resolver: server.address };
  await using srv = await startPlane(1, { settings, service: { host: 'srv.test' } });
  await using address = await startPlane(echo.port, { settings, service: { host: 'a.test' } });
  await using local = await startPlane(echo.port, { settings, service: { host: 'localhost' } });
  // From here on: listeners ask it even for addresses.
  const { mock } = t.mock.method(dns, 'lookup', (...args: unknown[]) => {
    (args.at(-1) as (error: Error) => void)(new Error('getaddrinfo'));
  });
  for (const { port } of [srv, address, local]) {
    const { responses } = await rawRequest(port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.equal(responses[0]?.status, 200);
  }
  assert.equal(mock.callCount(), 0);
  const named = connect(echo.port, 'localhost').on('error', () => {});
  assert.equal(mock.callCount(), 1, 'a connection to a name would have been noticed');
  named.destroy();
});
