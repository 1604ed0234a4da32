/** Services in front of upstreams: who gets which share, under which Host, and what happens when targets fail. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startDnsServer } from '../support/dns-server.ts';
import { startGateway } from '../support/gateway.ts';
import { freePorts } from '../support/ports.ts';
import { startEcho, type Echo } from '../support/upstream.ts';
import { mirrored, send, startMirror, type Ask } from './support/ask.ts';

const [a, b, c, mirror] = await Promise.all([
  startEcho({ name: 'a' }),
  startEcho({ name: 'b' }),
  startEcho({ name: 'c' }),
  startMirror(),
]);
const [dead = 0] = await freePorts(1);
const local = [{ type: 'A', ip: '127.0.0.1' }] as const;
const dns = await startDnsServer({
  'A one.test': local,
  'A moment.test': [{ type: 'A', ip: '127.0.0.1', ttl: 0 }],
  'SRV srv.test': [
    { type: 'SRV', target: 'one.test', port: a.port },
    { type: 'SRV', target: 'one.test', port: b.port },
  ],
  'SRV literal.test': [{ type: 'SRV', target: '127.0.0.1', port: mirror.port }],
  'SRV mirror.test': [{ type: 'SRV', target: 'one.test', port: mirror.port }],
});

type Target = readonly [target: string, weight: number];

/** An upstream, a service and a route of one name. */
function balanced(
  name: string,
  targets: readonly Target[],
  more: { upstream?: object; service?: object; route?: object } = {},
) {
  const upstream = `${name}.upstream`;
  return {
    upstream: {
      name: upstream,
      ...more.upstream,
      targets: targets.map(([target, weight]) => ({ target, weight })),
    },
    // The service's port means nothing.
    service: {
      name,
      host: upstream,
      port: 1,
      ...more.service,
      routes: [{ paths: [`/${name}`], ...more.route }],
    },
  };
}

const at = (port: number): string => `127.0.0.1:${port}`;
const MIRROR: readonly Target[] = [[at(mirror.port), 100]];
const CASES = [
  balanced('weights', [
    [at(a.port), 300],
    [at(b.port), 100],
    [at(c.port), 0],
  ]),
  balanced('equal', [
    [at(a.port), 100],
    [at(b.port), 100],
    [at(c.port), 100],
  ]),
  balanced('srv', [
    ['srv.test:1', 100],
    [at(c.port), 100],
  ]),
  balanced('names', [
    [`one.test:${a.port}`, 10],
    [`moment.test:${b.port}`, 10],
  ]),
  balanced('gone', [
    ['gone.test:80', 100],
    [at(a.port), 100],
    ['lost.test:80', 5],
  ]),
  balanced(
    'refused',
    [
      [at(dead), 1000],
      [at(b.port), 1],
    ],
    { service: { retries: 1 } },
  ),
  balanced('refused-once', [[at(dead), 1]], { service: { retries: 0 } }),
  balanced(
    'dead',
    [
      [at(dead), 1],
      [`localhost:${dead}`, 1],
    ],
    { service: { retries: 3 } },
  ),
  balanced('nobody', []),
  balanced('zero', [[at(a.port), 0]]),
  balanced('unknown', [
    ['gone.test:80', 100],
    ['lost.test:81', 100],
  ]),
  balanced('host', MIRROR),
  balanced('host-name', [[`one.test:${mirror.port}`, 1]]),
  balanced('host-srv', [['mirror.test:80', 1]]),
  balanced('srv-name', [['mirror.test:80', 1]], { upstream: { use_srv_name: true } }),
  balanced('srv-name-literal', [['literal.test:80', 1]], { upstream: { use_srv_name: true } }),
  balanced('srv-name-address', [[`one.test:${mirror.port}`, 1]], { upstream: { use_srv_name: true } }),
  balanced('srv-name-header', [['mirror.test:80', 1]], {
    upstream: { use_srv_name: true, host_header: 'virtual.test' },
  }),
  balanced('srv-name-preserved', [['mirror.test:80', 1]], {
    upstream: { use_srv_name: true },
    route: { preserve_host: true },
  }),
  balanced('host-header', MIRROR, { upstream: { host_header: 'virtual.test' } }),
  balanced('host-header-port', MIRROR, { upstream: { host_header: 'virtual.test:99' } }),
  balanced('host-preserved', MIRROR, {
    upstream: { host_header: 'virtual.test' },
    route: { preserve_host: true },
  }),
  balanced('host-retried', [
    [at(dead), 1000],
    [`one.test:${mirror.port}`, 1],
  ]),
];

const gateway = await startGateway({
  config: {
    _format_version: '3.0',
    upstreams: CASES.map(({ upstream }) => upstream),
    services: [
      ...CASES.map(({ service }) => service),
      { name: 'case', host: 'WEIGHTS.upstream', routes: [{ paths: ['/case'] }] },
    ],
  },
  settings: { dns_resolver: dns.address, nginx_worker_processes: 1 },
});
const port = gateway.proxyPort;

after(async () => {
  for (const each of [gateway, a, b, c, mirror, dns]) await each[Symbol.asyncDispose]();
});

/** How often each upstream answered. */
async function shares(
  path: string,
  requests: number,
  init: RequestInit = {},
): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let n = 0; n < requests; n++) {
    const response = await fetch(`${gateway.url}${path}`, init);
    assert.equal(response.status, 200, await response.clone().text());
    const { name } = (await response.json()) as Echo;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

test('shares are exactly the weights, and weight 0 has none', async () => {
  assert.deepEqual(await shares('/weights', 40), { a: 30, b: 10 });
  assert.deepEqual(await shares('/equal', 30), { a: 10, b: 10, c: 10 });
});

test('a name is one target whatever it resolves to; an SRV record says the port', async () => {
  assert.deepEqual(await shares('/srv', 40), { a: 10, b: 10, c: 20 });
});

test('names are resolved, those of no lifetime for each request', async () => {
  assert.deepEqual(await shares('/names', 20), { a: 10, b: 10 });
  const asked = (): number => dns.asked.filter((query) => query === 'A moment.test').length;
  const before = asked();
  await shares('/names', 10);
  assert.ok(asked() - before >= 5);
});

test('targets whose names do not resolve are passed over', async () => {
  assert.deepEqual(await shares('/gone', 20), { a: 20 });
});

test('a try that failed is repeated on another target', async () => {
  assert.deepEqual(await shares('/refused', 20), { b: 20 });
  // It was never sent, so it may.
  assert.deepEqual(await shares('/refused', 5, { method: 'POST', body: 'x' }), { b: 5 });
  assert.equal((await send(port, { target: '/refused-once' })).status, 502);
  assert.equal((await send(port, { target: '/dead' })).status, 502);
});

const NO_PEER: ReadonlyArray<Ask & { readonly target: string; readonly body?: string }> = [
  { target: '/nobody' },
  { target: '/zero' },
  { target: '/unknown' },
  { target: '/nobody', method: 'POST', body: 'abc' },
];
for (const ask of NO_PEER) {
  test(`no target: ${ask.method ?? 'GET'} ${ask.target} is 503`, async () => {
    const response = await send(port, ask);
    assert.equal(response.status, 503);
    const { message, request_id: id } = JSON.parse(response.text()) as Record<string, string>;
    assert.equal(message, 'failure to get a peer from the ring-balancer');
    assert.match(id ?? '', /^[0-9a-f]{32}$/);
    const plain = await send(port, { ...ask, lines: ['Accept: text/plain'] });
    assert.match(plain.text(), /^failure to get a peer from the ring-balancer\nrequest_id: /);
  });
}

const HOSTS: ReadonlyArray<readonly [path: string, host: string]> = [
  ['/host', at(mirror.port)],
  ['/host-name', `one.test:${mirror.port}`],
  ['/srv-name', `one.test:${mirror.port}`],
  ['/srv-name-literal', `literal.test:${mirror.port}`],
  ['/srv-name-address', `one.test:${mirror.port}`],
  ['/srv-name-header', `virtual.test:${mirror.port}`],
  ['/host-srv', `mirror.test:${mirror.port}`],
  ['/host-header', `virtual.test:${mirror.port}`],
  ['/host-header-port', 'virtual.test:99'],
  ['/host-preserved', 'client.test'],
  ['/srv-name-preserved', 'client.test'],
  ['/host-retried', `one.test:${mirror.port}`],
];
for (const [path, host] of HOSTS) {
  test(`Host sent of ${path}`, async () => {
    const seen = await mirrored(port, { target: path, host: 'client.test' });
    assert.equal(seen.one('host'), host);
  });
}

test('names of upstreams are compared as they are written', async () => {
  const response = await send(port, { target: '/case' });
  assert.deepEqual([response.status, response.text().includes('name resolution failed')], [503, true]);
});
