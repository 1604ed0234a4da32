/** Names of a whole gateway with two workers: resolved once and ahead, served on when name servers fail, followed. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type DnsRecord, type DnsServer, startDnsServer } from '../support/dns-server.ts';
import { type Gateway, type KongConfig, startGateway } from '../support/gateway.ts';
import { type Echo, startEcho } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';

const [a, b] = await Promise.all([startEcho({ name: 'a' }), startEcho({ name: 'b' })]);
after(async () => {
  for (const each of [a, b]) await each[Symbol.asyncDispose]();
});

const local = (ttl: number): DnsRecord[] => [{ type: 'A', ip: '127.0.0.1', ttl }];
const srv = (port: number, ttl: number): DnsRecord[] => [{ type: 'SRV', target: 'local.test', port, ttl }];

/** A service with a route for each name; `up` is an upstream. */
function configOf(names: readonly string[], targets: readonly string[] = []): KongConfig {
  return {
    _format_version: '3.0',
    upstreams: [{ name: 'up', targets: targets.map((target) => ({ target })) }],
    services: names.map((name) => ({
      name: name.replaceAll('.', '-'),
      host: name,
      port: a.port,
      retries: 0,
      routes: [{ paths: [`/${name}`] }],
    })),
  };
}

function start(dns: DnsServer, config: KongConfig, settings: Record<string, string> = {}): Promise<Gateway> {
  const own = { dns_resolver: dns.address, dns_hostsfile: '/dev/null', nginx_worker_processes: 2 };
  return startGateway({ config, settings: { ...own, ...settings } });
}

const count = (dns: DnsServer, query: string): number => dns.asked.filter((one) => one === query).length;

const logOf = ({ prefix }: Gateway): string => readFileSync(join(prefix, 'logs/error.log'), 'utf8');

/** As often as it takes until all workers have answered, most likely. */
async function askMany(gateway: Gateway, name: string, times = 40): Promise<Set<string>> {
  const answers = new Set<string>();
  for (let n = 0; n < times; n++) {
    const response = await fetch(`${gateway.url}/${name}`, { headers: { connection: 'close' } });
    const body = (await response.json()) as Partial<Echo> & { message?: string };
    answers.add(`${response.status} ${body.name ?? body.message}`);
  }
  return answers;
}

test("the configuration's names are looked up before a request needs them, once for all workers", async () => {
  await using dns = await startDnsServer({
    'A local.test': local(300),
    'A one.test': local(300),
    'A two.test': local(300),
    'A new.test': local(300),
  });
  const names = ['one.test', 'gone.test', 'up', '127.0.0.1'];
  await using gateway = await start(dns, configOf(names, ['two.test:1', '127.0.0.1:1']), { dns_order: 'A' });
  await waitFor(() => dns.asked.length >= 3, { what: 'the names' });
  assert.deepEqual(dns.asked.toSorted(), ['A gone.test', 'A one.test', 'A two.test']);
  assert.deepEqual(await askMany(gateway, 'one.test'), new Set(['200 a']));
  assert.equal(dns.asked.length, 3, 'no request asked');
  assert.doesNotMatch(logOf(gateway), /gone\.test|\[error\]/);
  await gateway.reload(configOf([...names, 'new.test']));
  await waitFor(() => count(dns, 'A new.test') === 1, { what: 'the new name' });
  assert.deepEqual(await askMany(gateway, 'new.test'), new Set(['200 a']));
  assert.equal(dns.asked.length, 4);
});

test('a name that changes each second under load: no request fails or waits, and the new address is used', async () => {
  const zone = { 'A local.test': local(1), 'SRV flip.test': srv(a.port, 1) };
  await using dns = await startDnsServer(zone);
  await using gateway = await start(dns, configOf(['flip.test']), { dns_order: 'SRV,A' });
  const seen: string[] = [];
  let over = false;
  const client = (async () => {
    while (!over) for (const answer of await askMany(gateway, 'flip.test', 1)) seen.push(answer);
  })();
  for (const [port, name] of [
    [b.port, 'b'],
    [a.port, 'a'],
    [b.port, 'b'],
  ] as const) {
    dns.zone['SRV flip.test'] = srv(port, 1);
    await waitFor(() => seen.at(-1) === `200 ${name}`, { what: `answers of ${name}` });
  }
  over = true;
  await client;
  assert.deepEqual(new Set(seen), new Set(['200 a', '200 b']));
});

test('kept connections follow the name: those to the old address are closed', async () => {
  const upstreams = await Promise.all([startEcho({ name: 'x' }), startEcho({ name: 'y' })]);
  const [x, y] = upstreams;
  await using dns = await startDnsServer({ 'A local.test': local(1), 'SRV move.test': srv(x.port, 1) });
  await using gateway = await start(dns, configOf(['move.test']), { dns_order: 'SRV,A' });
  assert.deepEqual(await askMany(gateway, 'move.test'), new Set(['200 x']));
  assert.ok(x.open > 0, 'connections are kept');
  dns.zone['SRV move.test'] = srv(y.port, 1);
  await waitFor(() => x.open === 0, { what: 'the connections to the old address to close' });
  assert.deepEqual(await askMany(gateway, 'move.test'), new Set(['200 y']));
  for (const each of upstreams) await each[Symbol.asyncDispose]();
});

test('a target that did not resolve is waited for once, also when the targets have changed since', async () => {
  await using dns = await startDnsServer({});
  const config = (weight: number): KongConfig => ({
    _format_version: '3.0',
    upstreams: [
      {
        name: 'up',
        targets: [{ target: 'gone.test:1' }, { target: `127.0.0.1:${a.port}`, weight }],
      },
    ],
    services: [{ name: 's', host: 'up', retries: 0, routes: [{ paths: ['/up'] }] }],
  });
  const settings = { nginx_worker_processes: '1', dns_not_found_ttl: '0', dns_error_ttl: '0' };
  await using gateway = await start(dns, config(100), settings);
  const waited = (): number => logOf(gateway).split('name resolution failed').length - 1;
  await waitFor(async () => (await askMany(gateway, 'up', 1)).has('200 a') && waited() > 0);
  assert.equal(waited(), 1);
  for (const weight of [200, 300]) {
    await gateway.reload(config(weight));
    assert.deepEqual(await askMany(gateway, 'up'), new Set(['200 a']));
  }
  assert.equal(waited(), 1);
});

test('when no name server answers the last addresses serve on', async () => {
  const dns = await startDnsServer({ 'A local.test': local(1) });
  await using gateway = await start(dns, configOf(['local.test', 'other.test']), {
    dns_order: 'A',
    dns_not_found_ttl: '1',
  });
  assert.deepEqual(await askMany(gateway, 'local.test'), new Set(['200 a']));
  const { port } = dns;
  await dns[Symbol.asyncDispose]();
  await waitFor(() => logOf(gateway).includes('local.test could not be refreshed'), {
    what: 'the failed refresh',
  });
  assert.deepEqual(await askMany(gateway, 'local.test'), new Set(['200 a']));
  await using back = await startDnsServer({ 'A local.test': local(1), 'A other.test': local(1) }, port);
  await waitFor(async () => (await askMany(gateway, 'other.test', 1)).has('200 a'), {
    what: 'the other name',
  });
  assert.ok(back.asked.length > 0);
});

for (const query of ['SRV only.test', 'A local.test']) {
  test(`a name of SRV records alone serves on while '${query}' fails, though it has no addresses of its own`, async () => {
    const zone: DnsServer['zone'] = { 'A local.test': local(1), 'SRV only.test': srv(a.port, 1) };
    await using dns = await startDnsServer(zone);
    await using gateway = await start(dns, configOf(['only.test']), { dns_order: 'LAST,SRV,A' });
    assert.deepEqual(await askMany(gateway, 'only.test'), new Set(['200 a']));
    dns.zone[query] = 'servfail';
    await waitFor(() => logOf(gateway).includes('only.test could not be refreshed'), {
      what: 'a refresh that fails',
    });
    assert.deepEqual(await askMany(gateway, 'only.test'), new Set(['200 a']));
  });
}

const INITIAL = 'failed the initial dns/balancer resolve for';
const BAD: ReadonlyArray<readonly [name: string, status: number, message: string]> = [
  ['gone.test', 503, 'name resolution failed'],
  ['empty.test', 503, 'name resolution failed'],
  ['nobody.test', 503, 'name resolution failed'],
  ['chain.test', 500, `${INITIAL} 'chain.test' with: server failure`],
  ['broken.test', 500, `${INITIAL} 'broken.test' with: server failure`],
  ['garbage.test', 500, `${INITIAL} 'garbage.test' with: server failure`],
];
/** It has the question, and announces answers that are not there. */
function garbageFor(query: Buffer): Buffer {
  const message = Buffer.from(query);
  message.writeUInt16BE(0x8180, 2);
  message.writeUInt16BE(9, 6);
  return message.subarray(0, -11);
}

test('names that resolve to nothing: status and message', async () => {
  await using dns = await startDnsServer({
    'TXT empty.test': [],
    'SRV nobody.test': [{ type: 'SRV', target: '', port: 0 }],
    'A chain.test': [{ type: 'CNAME', target: 'chain.test' }],
    'A broken.test': 'servfail',
    'A garbage.test': { raw: (query) => [garbageFor(query)] },
  });
  await using gateway = await start(dns, configOf(BAD.map(([name]) => name)));
  for (const [name, status, message] of BAD) {
    assert.deepEqual(await askMany(gateway, name, 4), new Set([`${status} ${message}`]), name);
  }
});
