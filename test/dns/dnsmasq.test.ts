/** The DNS client and the gateway on a real name server. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { DnsClient } from '../../src/balancer/resolver/dns-client.ts';
import { DnsError } from '../../src/balancer/resolver/resolver.ts';
import { startDnsmasq } from '../support/dnsmasq.ts';
import { startGateway } from '../support/gateway.ts';
import { type Echo, startEcho } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';

const [a, b] = await Promise.all([startEcho({ name: 'a' }), startEcho({ name: 'b' })]);
const many = Array.from({ length: 200 }, (_, n) => `host-record=many.test,10.0.0.${n + 1}`);
const dns = await startDnsmasq([
  'host-record=one.test,10.0.0.1,2001:db8::1,77',
  'host-record=local.test,127.0.0.1',
  'cname=alias.test,one.test,33',
  'cname=twice.test,alias.test,44',
  'srv-host=_http._tcp.srv.test,one.test,8080,1,20',
  'srv-host=_http._tcp.srv.test,local.test,9090,2,30',
  `srv-host=pair.test,local.test,${a.port},1,3`,
  `srv-host=pair.test,local.test,${b.port},1,1`,
  'txt-record=text.test,words',
  'edns-packet-max=512',
  'local-ttl=1',
  ...many,
]);
after(async () => {
  for (const each of [a, b, dns]) await each[Symbol.asyncDispose]();
});

const client = new DnsClient({
  servers: [{ address: '127.0.0.1', port: dns.port }],
  timeout: 5000,
  attempts: 2,
  rotate: false,
  now: () => performance.now(),
});
after(() => client.close());

async function outcome(question: Promise<unknown>): Promise<unknown> {
  try {
    return await question;
  } catch (error) {
    assert.ok(error instanceof DnsError, String(error));
    return error.code;
  }
}

const CASES: ReadonlyArray<readonly [what: string, question: () => Promise<unknown>, expected: unknown]> = [
  ['A', () => client.addresses('one.test', 4), [{ address: '10.0.0.1', ttl: 77 }]],
  ['AAAA', () => client.addresses('one.test', 6), [{ address: '2001:db8::1', ttl: 77 }]],
  ['upper case', () => client.addresses('ONE.Test', 4), [{ address: '10.0.0.1', ttl: 77 }]],
  ['an alias of an alias', () => client.addresses('twice.test', 4), [{ address: '10.0.0.1', ttl: 33 }]],
  ['CNAME', () => client.aliases('twice.test'), [{ name: 'alias.test', ttl: 44 }]],
  [
    'SRV',
    () =>
      client
        .services('_http._tcp.srv.test')
        .then((all) => all.map(({ name, port, weight }) => [name, port, weight])),
    [
      ['local.test', 9090, 30],
      ['one.test', 8080, 20],
    ],
  ],
  ['no such name', () => client.addresses('gone.test', 4), 'name_error'],
  ['no such records', () => client.addresses('text.test', 4), 'empty'],
  ['a name that it may not answer', () => client.addresses('elsewhere.example', 4), 'server_failure'],
  ['200 addresses, over TCP', () => client.addresses('many.test', 4).then(({ length }) => length), 200],
];
for (const [what, question, expected] of CASES) {
  test(what, async () => {
    const found = await outcome(question());
    assert.deepEqual(
      Array.isArray(found) ? found.toSorted((one, other) => (String(one) < String(other) ? -1 : 1)) : found,
      expected,
    );
  });
}

test('a gateway: SRV weights and ports, a hosts file that changes', async () => {
  await dns.hosts(['127.0.0.1 moving.test', '127.0.0.1 ready.test'], 'moving.test');
  await using gateway = await startGateway({
    config: {
      _format_version: '3.0',
      services: [
        { name: 'pair', host: 'pair.test', port: 1, routes: [{ paths: ['/pair'] }] },
        { name: 'moving', host: 'moving.test', port: a.port, routes: [{ paths: ['/moving'] }] },
      ],
    },
    settings: { dns_resolver: dns.address, dns_hostsfile: '/dev/null', nginx_worker_processes: 2 },
  });
  const counts: Record<string, number> = {};
  for (let n = 0; n < 80; n++) {
    const response = await fetch(`${gateway.url}/pair`, { headers: { connection: 'close' } });
    const { name } = (await response.json()) as Echo;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  // Each worker has its own turn: at most one request each is not where the weights say.
  assert.ok(Math.abs((counts['a'] ?? 0) - 60) <= 3, JSON.stringify(counts));

  // A second is all that its names live, and they are followed ahead of that.
  const becomes = (status: number): Promise<true> =>
    waitFor(async () => (await fetch(`${gateway.url}/moving`)).status === status, {
      what: `status ${status}`,
    });
  assert.equal((await fetch(`${gateway.url}/moving`)).status, 200);
  await dns.hosts(['127.0.0.9 moving.test', '127.0.0.1 moved.test'], 'moved.test');
  await becomes(502);
  await dns.hosts(['127.0.0.1 moving.test', '127.0.0.1 back.test'], 'back.test');
  await becomes(200);
});
