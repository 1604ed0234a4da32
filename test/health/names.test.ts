/** Targets that are names: each address has a state of its own. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { type DnsRecord, startDnsServer } from '../support/dns-server.ts';
import { startGateway } from '../support/gateway.ts';
import { waitFor } from '../support/wait.ts';
import { configOf, healthOf, tell } from './support/health.ts';
import { Target } from './support/target.ts';

const [a, b, c] = await Promise.all([Target.start(), Target.start(), Target.start()]);
const srv = (...targets: readonly Target[]): DnsRecord[] =>
  targets.map(({ port }) => ({ type: 'SRV', target: 'host.test', port, ttl: 1 }));
const dns = await startDnsServer({
  'A host.test': [{ type: 'A', ip: '127.0.0.1', ttl: 1 }],
  'SRV pair.test': srv(a, b),
  'SRV moved.test': srv(a),
  'SRV three.test': srv(a, b, c),
});
const gateway = await startGateway({
  config: configOf([
    {
      name: 'pair',
      targets: ['pair.test:1'],
      healthchecks: { passive: { unhealthy: { tcp_failures: 1 } }, threshold: 0 },
    },
    {
      name: 'moved',
      targets: [`moved.test:${a.port}`],
      healthchecks: { passive: { unhealthy: { tcp_failures: 1 } } },
    },
    {
      name: 'three',
      targets: ['three.test:1'],
      healthchecks: { passive: { unhealthy: { tcp_failures: 1 } } },
    },
    { name: 'gone', targets: ['gone.test:1'], healthchecks: { passive: { unhealthy: { tcp_failures: 1 } } } },
  ]),
  settings: {
    dns_resolver: dns.address,
    dns_hostsfile: '/dev/null',
    dns_order: 'SRV,A',
    nginx_worker_processes: 2,
  },
});
after(async () => {
  for (const each of [gateway, dns, a, b, c]) await each[Symbol.asyncDispose]();
});

async function ask(): Promise<number> {
  const response = await fetch(`${gateway.url}/pair`, { headers: { connection: 'close' } });
  await response.arrayBuffer();
  return response.status;
}

async function addresses(): Promise<Record<string, unknown>> {
  const response = await fetch(`${gateway.adminUrl}/upstreams/pair.up/health`);
  const { data } = (await response.json()) as {
    data: Array<{ data: { addresses: Array<{ ip: string; port: number; health: string }> } }>;
  };
  return Object.fromEntries(
    data.flatMap((one) => one.data.addresses.map(({ port, health }) => [port, health])),
  );
}

test('one address is out, the other serves; the target is healthy as long as one is', async () => {
  await waitFor(async () => (await tell(gateway, 'pair.up', `pair.test:1/${a.at}/healthy`)) === 204);
  await a.behave('refuse');
  await waitFor(async () => (await ask()) === 502);
  assert.deepEqual(await addresses(), { [a.port]: 'UNHEALTHY', [b.port]: 'HEALTHY' });
  assert.deepEqual(await healthOf(gateway, 'pair.up'), { 'pair.test:1': 'HEALTHY' });
  for (let n = 0; n < 20; n++) assert.equal(await ask(), 200);
});

test('the Admin API tells one address, or all of the name', async () => {
  await a.behave(200);
  assert.equal(await tell(gateway, 'pair.up', `pair.test:1/${a.at}/healthy`), 204);
  assert.equal(await tell(gateway, 'pair.up', `pair.test:1/${b.at}/unhealthy`), 204);
  const before = b.count('/pair ');
  for (let n = 0; n < 10; n++) assert.equal(await ask(), 200);
  assert.equal(b.count('/pair '), before);
  assert.equal(await tell(gateway, 'pair.up', 'pair.test:1/unhealthy'), 204);
  assert.deepEqual(await healthOf(gateway, 'pair.up'), { 'pair.test:1': 'UNHEALTHY' });
  assert.equal(await ask(), 503);
  assert.equal(await tell(gateway, 'pair.up', 'pair.test:1/healthy'), 204);
  assert.equal(await ask(), 200);
});

test('an address that comes is known soon, and one that went is what it was when it comes back', async () => {
  await tell(gateway, 'pair.up', `pair.test:1/${a.at}/unhealthy`);
  dns.zone = { ...dns.zone, 'SRV pair.test': srv(b, c) };
  await waitFor(async () => (await tell(gateway, 'pair.up', `pair.test:1/${c.at}/unhealthy`)) === 204);
  await waitFor(async () => (await addresses())[c.port] === 'UNHEALTHY');
  // Asked for again ahead of the end of its second, until all have been told.
  await waitFor(
    async () => (await ask()) === 200 && dns.asked.filter((name) => name === 'SRV pair.test').length > 8,
  );
  dns.zone = { ...dns.zone, 'SRV pair.test': srv(a, b) };
  await waitFor(async () => (await addresses())[a.port] === 'UNHEALTHY');
  await waitFor(async () => (await tell(gateway, 'pair.up', `pair.test:1/${a.at}/healthy`)) === 204);
  assert.deepEqual(await addresses(), { [a.port]: 'HEALTHY', [b.port]: 'HEALTHY' });
});

test('the parts of a weight that its addresses share are the whole', async () => {
  await waitFor(async () => (await tell(gateway, 'three.up', `three.test:1/${c.at}/healthy`)) === 204);
  const balancer = async (): Promise<unknown> => {
    const response = await fetch(`${gateway.adminUrl}/upstreams/three.up/health?balancer_health=1`);
    const { data } = (await response.json()) as { data: { balancer_health: string; details: object } };
    return [data.balancer_health, (data.details as { weight: unknown }).weight];
  };
  await tell(gateway, 'three.up', `three.test:1/${a.at}/unhealthy`);
  assert.deepEqual(await balancer(), ['HEALTHY', { total: 100, available: 67, unavailable: 33 }]);
  await tell(gateway, 'three.up', 'three.test:1/unhealthy');
  assert.equal((await fetch(`${gateway.url}/three`)).status, 503);
  assert.deepEqual(await balancer(), ['UNHEALTHY', { total: 100, available: 0, unavailable: 100 }]);
});

test('a name without addresses', async () => {
  assert.deepEqual(await healthOf(gateway, 'gone.up'), { 'gone.test:1': 'DNS_ERROR' });
  assert.equal(await tell(gateway, 'gone.up', 'gone.test:1/healthy'), 404);
});

test('a target that is unhealthy at all its addresses is back when its name has moved', async () => {
  const ask = async (): Promise<string> => {
    const response = await fetch(`${gateway.url}/moved`, { headers: { connection: 'close' } });
    return `${response.status} ${await response.text()}`;
  };
  await waitFor(async () => (await ask()) === `200 ${a.port}`);
  assert.equal(await tell(gateway, 'moved.up', `moved.test:${a.port}/unhealthy`), 204);
  await waitFor(async () => (await ask()).startsWith('503'));
  dns.zone = { ...dns.zone, 'SRV moved.test': srv(b) };
  await waitFor(async () => (await ask()) === `200 ${b.port}`);
});
