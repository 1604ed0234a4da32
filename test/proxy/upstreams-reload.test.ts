/** Upstreams and targets that come, change and go while requests are served. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startDnsServer } from '../support/dns-server.ts';
import { startGateway } from '../support/gateway.ts';
import { startEcho, type Echo } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';

const [a, b, c, direct] = await Promise.all([
  startEcho({ name: 'a' }),
  startEcho({ name: 'b' }),
  startEcho({ name: 'c' }),
  startEcho({ name: 'direct' }),
]);
const dns = await startDnsServer({ 'A pool.test': [{ type: 'A', ip: '127.0.0.1' }] });

type Targets = ReadonlyArray<{ readonly port: number; readonly weight?: number }>;

/** The service stays as it is; null: there is no upstream of its host's name. */
const config = (targets: Targets | null, more: object = {}): Record<string, unknown> => ({
  _format_version: '3.0',
  services: [{ name: 's', host: 'pool.test', port: direct.port, routes: [{ paths: ['/'] }] }],
  upstreams:
    targets === null
      ? []
      : [
          {
            name: 'pool.test',
            ...more,
            targets: targets.map(({ port, weight = 100 }) => ({ target: `127.0.0.1:${port}`, weight })),
          },
        ],
});

const gateway = await startGateway({
  config: config(null),
  settings: { dns_resolver: dns.address, nginx_worker_processes: 2 },
});

after(async () => {
  for (const each of [gateway, a, b, c, direct, dns]) await each[Symbol.asyncDispose]();
});

async function nameOf(response: Response): Promise<string> {
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return (JSON.parse(text) as Echo).name;
}

/**
 * Who answers, each on a connection of its own so that both workers are asked. It asks until `expected` have all
 * been seen: which worker gets a connection is the kernel's choice, so a fixed number of requests may miss one of
 * two targets by chance. Whoever else answers is seen as well, a dozen being asked in any case.
 */
async function askedNow(expected: readonly string[]): Promise<string[]> {
  const names = new Set<string>();
  for (let n = 0; n < 12 || (n < 300 && !expected.every((name) => names.has(name))); n++) {
    names.add(await nameOf(await fetch(gateway.url, { headers: { connection: 'close' } })));
  }
  return [...names].sort();
}

async function assertServing(expected: readonly string[], why = 'who serves'): Promise<void> {
  assert.deepEqual(await askedNow(expected), expected, why);
}

async function load(next: Record<string, unknown>): Promise<void> {
  const { status, body } = await gateway.postConfig(next);
  assert.equal(status, 201, JSON.stringify(body));
}

test('an upstream comes for a host that was a DNS name, changes, and goes again', async () => {
  await assertServing(['direct']);
  await load(config([{ port: a.port }, { port: b.port }]));
  await assertServing(['a', 'b']);
  await load(config([{ port: a.port }, { port: b.port, weight: 0 }]));
  await assertServing(['a']);
  await load(config([{ port: c.port }]));
  await assertServing(['c']);
  await load(config([]));
  assert.equal((await fetch(gateway.url)).status, 503);
  await load(config(null));
  await assertServing(['direct']);
});

test('no request fails and none goes astray while targets change', async () => {
  const pairs = [
    [a, b],
    [b, c],
    [c, a],
  ].map((pair) => pair.map(({ port }) => ({ port })));
  await load(config(pairs[0] ?? []));
  let stop = false;
  let answers = 0;
  const client = async (): Promise<void> => {
    while (!stop) {
      const name = await nameOf(await fetch(gateway.url));
      assert.ok(['a', 'b', 'c'].includes(name), name);
      answers++;
    }
  };
  const clients = Array.from({ length: 4 }, client);
  for (let change = 1; change <= 12; change++) {
    await load(config(pairs[change % 3] ?? [], { tags: [`change-${change}`] }));
    const expected = [
      ['a', 'b'],
      ['b', 'c'],
      ['a', 'c'],
    ][change % 3];
    await assertServing(expected ?? [], 'answered means served');
  }
  await waitFor(() => answers > 50, { what: 'requests meanwhile' });
  stop = true;
  await Promise.all(clients);
});

test('a file on disk does the same', async () => {
  await load(config([{ port: b.port }]));
  await gateway.reload(config([{ port: c.port }, { port: b.port }]));
  await assertServing(['b', 'c']);
});

test('an upstream that is invalid is refused and changes nothing', async () => {
  await load(config([{ port: a.port }]));
  const { status, body } = await gateway.postConfig(config([{ port: b.port }], { slots: 1 }));
  assert.equal(status, 400);
  assert.match(JSON.stringify(body), /value should be between 10 and 65536/);
  await assertServing(['a']);
});
