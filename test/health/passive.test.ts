/** Passive checks: what requests tell, for all workers at once, and what only the Admin API takes back. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { waitFor } from '../support/wait.ts';
import { configOf, healthOf, tell, waitHealth, type Balanced } from './support/health.ts';
import { type Manner, Target } from './support/target.ts';

const passive = (unhealthy: object, healthy: object = {}) => ({ passive: { unhealthy, healthy } });

const CASES: ReadonlyArray<{
  readonly name: string;
  readonly bad: Manner;
  /** What clients see of it. */
  readonly status: number;
  readonly failures: number;
  readonly unhealthy: object;
  readonly service?: object;
}> = [
  { name: 'refuse', bad: 'refuse', status: 502, failures: 3, unhealthy: { tcp_failures: 3 } },
  { name: 'cut', bad: 'cut', status: 502, failures: 2, unhealthy: { tcp_failures: 2 } },
  { name: 'garbage', bad: 'garbage', status: 502, failures: 1, unhealthy: { tcp_failures: 1 } },
  {
    name: 'hang',
    bad: 'hang',
    status: 504,
    failures: 2,
    unhealthy: { timeouts: 2 },
    service: { read_timeout: 200 },
  },
  { name: 'err', bad: 500, status: 500, failures: 3, unhealthy: { http_failures: 3 } },
  { name: 'own', bad: 418, status: 418, failures: 1, unhealthy: { http_failures: 1, http_statuses: [418] } },
  { name: 'late', bad: 504, status: 504, failures: 2, unhealthy: { timeouts: 2 } },
];
const pairs = await Promise.all(
  CASES.map(async (one) =>
    Object.assign({}, one, { good: await Target.start(), target: await Target.start() }),
  ),
);
const [first, second, third, fourth] = await Promise.all([
  Target.start(),
  Target.start(),
  Target.start(),
  Target.start(),
]);
const more: readonly Balanced[] = [
  { name: 'single', targets: [first], healthchecks: passive({ http_failures: 3 }, { successes: 0 }) },
  {
    name: 'half',
    targets: [second, third],
    healthchecks: { ...passive({ http_failures: 1 }), threshold: 50 },
  },
  { name: 'plain', targets: [fourth], healthchecks: {} },
];
const config = configOf([
  ...pairs.map(({ name, unhealthy, good, target, service }): Balanced => ({
    name,
    targets: [good, target],
    healthchecks: passive(unhealthy),
    ...(service === undefined ? {} : { service }),
  })),
  ...more,
]);
const gateway = await startGateway({ config, settings: { nginx_worker_processes: 2 } });

after(async () => {
  await gateway[Symbol.asyncDispose]();
  const targets = [first, second, third, fourth, ...pairs.flatMap(({ good, target }) => [good, target])];
  for (const each of targets) await each[Symbol.asyncDispose]();
});

/** On a connection of its own, so that any worker may get it. */
async function ask(name: string): Promise<number> {
  const response = await fetch(`${gateway.url}/${name}`, { headers: { connection: 'close' } });
  await response.arrayBuffer();
  return response.status;
}

for (const { name, bad, status, failures, good, target } of pairs) {
  test(`${name}: out after exactly ${failures} failures, in both workers, until somebody says otherwise`, async () => {
    const upstream = `${name}.up`;
    assert.equal((await healthOf(gateway, upstream))[target.at], 'HEALTHY');
    await target.behave(bad);
    let failed = 0;
    for (let n = 0; n < 30; n++) {
      const got = await ask(name);
      if (got === status) failed++;
      else assert.equal(got, 200);
    }
    assert.equal(failed, failures);
    assert.deepEqual(await healthOf(gateway, upstream), { [good.at]: 'HEALTHY', [target.at]: 'UNHEALTHY' });
    await target.behave(200);
    const before = target.count(`/${name} `);
    for (let n = 0; n < 10; n++) assert.equal(await ask(name), 200);
    assert.equal(target.count(`/${name} `), before, 'nobody probes it');
    assert.equal(await tell(gateway, upstream, `${target.at}/healthy`), 204);
    await waitFor(async () => (await ask(name)) === 200 && target.count(`/${name} `) > before);
  });
}

test('what fails and succeeds in turn stays: failures count in a row', async () => {
  for (let n = 0; n < 10; n++) {
    await first.behave(500);
    assert.deepEqual([await ask('single'), await ask('single')], [500, 500]);
    await first.behave(200);
    assert.equal(await ask('single'), 200);
  }
  assert.equal((await healthOf(gateway, 'single.up'))[first.at], 'HEALTHY');
});

test('no target is healthy: 503 in Kong’s words', async () => {
  assert.equal(await tell(gateway, 'single.up', `${first.at}/unhealthy`), 204);
  const response = await fetch(`${gateway.url}/single`);
  assert.equal(response.status, 503);
  assert.match(await response.text(), /"message":"failure to get a peer from the ring-balancer"/);
  assert.equal(await tell(gateway, 'single.up', `${first.at}/${first.at}/healthy`), 204);
  assert.equal(await ask('single'), 200);
});

test('a balancer whose weight is not above the threshold lets nobody in', async () => {
  assert.equal(await ask('half'), 200);
  await tell(gateway, 'half.up', `${second.at}/unhealthy`);
  assert.equal(await ask('half'), 503);
  const read = async (): Promise<Record<string, unknown>> => {
    const response = await fetch(`${gateway.statusUrl}/upstreams/half.up/health?balancer_health=1`);
    return ((await response.json()) as { data: Record<string, unknown> }).data;
  };
  const { health, balancer_health: balancer, details } = await read();
  assert.deepEqual([health, balancer], ['UNHEALTHY', 'UNHEALTHY']);
  const { healthy, weight } = details as { healthy: boolean; weight: unknown };
  assert.deepEqual([healthy, weight], [false, { total: 200, available: 100, unavailable: 100 }]);
  await tell(gateway, 'half.up', `${second.at}/healthy`);
  assert.equal(await ask('half'), 200);
  assert.equal((await read())['health'], 'HEALTHY');
});

test('who has no checks has no health to be told', async () => {
  assert.equal(await tell(gateway, 'plain.up', `${fourth.at}/unhealthy`), 400);
  assert.equal((await healthOf(gateway, 'plain.up'))[fourth.at], 'HEALTHCHECKS_OFF');
  assert.equal(await tell(gateway, 'half.up', `${second.at}/10.0.0.1:80/healthy`), 404);
});

test('a reload forgets nothing of targets that stay, nor of one that is away for a moment', async () => {
  await tell(gateway, 'half.up', `${second.at}/unhealthy`);
  await tell(gateway, 'single.up', `${first.at}/unhealthy`);
  const { upstreams } = config as { upstreams: ReadonlyArray<{ name: string; targets: unknown[] }> };
  const without = upstreams.map((one) =>
    one.name === 'half.up'
      ? Object.assign({}, one, { targets: one.targets.slice(1), slots: 77 })
      : Object.assign({}, one, { tags: ['again'] }),
  );
  await gateway.reload({ ...config, upstreams: without });
  assert.deepEqual(await healthOf(gateway, 'half.up'), { [third.at]: 'HEALTHY' });
  assert.equal(await ask('half'), 200);
  assert.equal(await ask('single'), 503);
  await gateway.reload(config);
  assert.deepEqual(await healthOf(gateway, 'half.up'), { [third.at]: 'HEALTHY', [second.at]: 'UNHEALTHY' });
  assert.equal(await ask('half'), 503);
  await tell(gateway, 'half.up', `${second.at}/healthy`);
  await tell(gateway, 'single.up', `${first.at}/healthy`);
  assert.deepEqual([await ask('half'), await ask('single')], [200, 200]);
});

test('checks that are taken away leave every target in', async () => {
  await tell(gateway, 'single.up', `${first.at}/unhealthy`);
  assert.equal(await ask('single'), 503);
  const { upstreams } = config as { upstreams: ReadonlyArray<{ name: string }> };
  const without = upstreams.map((one) =>
    one.name === 'single.up' ? Object.assign({}, one, { healthchecks: {} }) : one,
  );
  await gateway.reload({ ...config, upstreams: without });
  assert.equal(await ask('single'), 200);
  await waitHealth(gateway, 'single.up', first, 'HEALTHCHECKS_OFF');
  await gateway.reload(config);
  assert.equal((await healthOf(gateway, 'single.up'))[first.at], 'UNHEALTHY', 'as it was');
  await tell(gateway, 'single.up', `${first.at}/healthy`);
});

test('workers write what they have found out', async () => {
  const { target } = pairs[0]!;
  await waitFor(async () =>
    new RegExp(
      `\\[warn\\] .*refuse.up: target ${target.at} .* is unhealthy after tcp failure of a request`,
    ).test(await gateway.logFile('error.log')),
  );
});
