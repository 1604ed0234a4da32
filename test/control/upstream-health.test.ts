/** Health of an upstream's targets, on the Admin API and, without a database, for reading on the Status API. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type DnsServer, startDnsServer } from '../support/dns-server.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';

type Json = Readonly<Record<string, unknown>>;

const TARGETS = [
  { target: '127.0.0.1:81', weight: 10 },
  { target: 'two.test:82', weight: 20 },
  { target: 'srv.test:83', weight: 30 },
  { target: 'none.test:84', weight: 40 },
  { target: '[::1]:85', weight: 0 },
];
const FILE = JSON.stringify({
  _format_version: '3.0',
  upstreams: [{ name: 'u', targets: TARGETS }, { name: 'e' }],
});
const ZONE = {
  'A two.test': [
    { type: 'A', ip: '127.0.0.2' },
    { type: 'A', ip: '127.0.0.3' },
  ],
  'A one.test': [{ type: 'A', ip: '127.0.0.4' }],
  'SRV srv.test': [{ type: 'SRV', target: 'one.test', port: 9000 }],
} as const;

async function call(url: string, method = 'GET'): Promise<{ status: number; body: Json }> {
  const response = await fetch(url, { method });
  const text = await response.text();
  return { status: response.status, body: text === '' ? {} : (JSON.parse(text) as Json) };
}

const byTarget = ({ body }: { body: Json }): Map<unknown, Json> =>
  new Map((body['data'] as Json[]).map((one) => [one['target'], one]));

const OFF = 'HEALTHCHECKS_OFF';
const address = (ip: string, port: number, weight: number): Json => ({ ip, port, weight, health: OFF });
const data = (host: string, port: number, dns: string, nodeWeight: number, addresses: Json[]): Json => {
  const total = addresses.length === 0 ? 0 : nodeWeight;
  return {
    host,
    port,
    dns,
    nodeWeight,
    weight: { total, available: total, unavailable: 0 },
    addresses,
  };
};
const HEALTH: ReadonlyArray<readonly [target: string, health: string, data: Json]> = [
  ['127.0.0.1:81', OFF, data('127.0.0.1', 81, 'A', 10, [address('127.0.0.1', 81, 10)])],
  [
    'two.test:82',
    OFF,
    data('two.test', 82, 'A', 20, [address('127.0.0.2', 82, 10), address('127.0.0.3', 82, 10)]),
  ],
  ['srv.test:83', OFF, data('srv.test', 83, 'SRV', 30, [address('127.0.0.4', 9000, 30)])],
  ['none.test:84', 'DNS_ERROR', data('none.test', 84, 'ERROR', 40, [])],
  [
    '[0000:0000:0000:0000:0000:0000:0000:0001]:85',
    OFF,
    data('0000:0000:0000:0000:0000:0000:0000:0001', 85, 'AAAA', 0, [
      address('0000:0000:0000:0000:0000:0000:0000:0001', 85, 0),
    ]),
  ],
];

for (const database of ['off', 'sqlite']) {
  describe(`database = ${database}`, () => {
    let dns: DnsServer;
    let gateway: Gateway;
    before(async () => {
      dns = await startDnsServer(ZONE);
      gateway = await startGateway({
        config: FILE,
        settings: { database, dns_resolver: dns.address, dns_hostsfile: '/dev/null', dns_order: 'SRV,A' },
      });
    });
    after(async () => {
      await gateway[Symbol.asyncDispose]();
      await dns[Symbol.asyncDispose]();
    });

    // Nobody need have asked the Admin API before.
    const sides = (): string[] =>
      database === 'off' ? [gateway.statusUrl, gateway.adminUrl] : [gateway.adminUrl];

    test('of each target, with the addresses that its name has', async () => {
      for (const side of sides()) {
        const answer = await call(`${side}/upstreams/u/health`);
        assert.equal(answer.status, 200, JSON.stringify(answer.body));
        assert.match(String(answer.body['node_id']), /^[0-9a-f-]{36}$/);
        assert.equal(answer.body['next'], null);
        const targets = byTarget(answer);
        assert.equal(targets.size, TARGETS.length);
        for (const [target, health, details] of HEALTH) {
          const found = targets.get(target);
          assert.deepEqual([found?.['health'], sorted(found?.['data'])], [health, details], target);
          assert.match(JSON.stringify(found?.['upstream']), /^\{"id":"[0-9a-f-]{36}"\}$/);
        }
      }
    });

    test('page by page', async () => {
      const first = await call(`${gateway.adminUrl}/upstreams/u/health?size=3`);
      assert.equal(first.body['next'], '/upstreams/u/health?offset=3');
      const second = await call(`${gateway.adminUrl}/upstreams/u/health?offset=3&size=3`);
      const all = [...byTarget(first).keys(), ...byTarget(second).keys()];
      assert.equal(new Set(all).size, TARGETS.length);
      assert.equal((await call(`${gateway.adminUrl}/upstreams/u/health?size=0`)).body['code'], 9);
    });

    test('of the balancer as a whole', async () => {
      const { status, body } = await call(`${gateway.adminUrl}/upstreams/u/health?balancer_health=1`);
      const { details, id, ...rest } = body['data'] as Json;
      assert.deepEqual([status, rest], [200, { health: OFF, balancer_health: 'HEALTHY' }]);
      assert.match(String(id), /^[0-9a-f-]{36}$/);
      const { hosts, ...sums } = details as Json;
      const weight = { total: 60, available: 60, unavailable: 0 };
      assert.deepEqual(sums, { healthy: true, weight });
      assert.deepEqual(
        new Set((hosts as Json[]).map((host) => host['host'])),
        new Set(HEALTH.map(([, , { host }]) => host)),
      );
      const empty = await call(`${gateway.adminUrl}/upstreams/e/health?balancer_health=1`);
      assert.equal(((empty.body['data'] as Json)['details'] as Json)['healthy'], false);
    });

    test('what is not there', async () => {
      for (const path of ['/upstreams/x/health', '/upstreams/x/health?balancer_health=1']) {
        assert.deepEqual(await call(gateway.adminUrl + path), {
          status: 404,
          body: { message: 'Not found' },
        });
      }
      for (const state of ['healthy', 'unhealthy']) {
        for (const path of [`/upstreams/x/targets/two.test:82/${state}`, `/upstreams/u/targets/x:1/${state}`])
          assert.equal((await call(gateway.adminUrl + path, 'PUT')).status, 404, path);
      }
    });

    test('without health checks nobody can be told healthy', async () => {
      for (const middle of ['', '/127.0.0.2:82']) {
        for (const state of ['healthy', 'unhealthy']) {
          const path = `/upstreams/u/targets/two.test:82${middle}/${state}`;
          const { status, body } = await call(gateway.adminUrl + path, 'PUT');
          assert.deepEqual([status, body], [400, { message: 'no healthchecker found for u' }], path);
          assert.equal((await call(gateway.adminUrl + path)).status, 405);
        }
      }
    });

    test('the Status API', async () => {
      const there = database === 'off' ? 200 : 404;
      for (const path of ['health', 'targets', 'targets/all', 'targets/two.test:82']) {
        assert.equal((await call(`${gateway.statusUrl}/upstreams/u/${path}`)).status, there, path);
      }
      const written = await call(`${gateway.statusUrl}/upstreams/u/targets/two.test:82`, 'DELETE');
      assert.equal(written.status, database === 'off' ? 405 : 404);
      assert.equal((await call(`${gateway.statusUrl}/upstreams/u`)).status, 404);
    });
  });
}

/** Addresses come in any order. */
function sorted(value: unknown): unknown {
  const given = value as Json;
  const addresses = [...(given['addresses'] as Json[])];
  addresses.sort((a, b) => (String(a['ip']) < String(b['ip']) ? -1 : 1));
  return { ...given, addresses };
}
