/** Active checks: what makes a target unhealthy and healthy again, and what a probe looks like. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { waitFor } from '../support/wait.ts';
import { configOf, healthOf, tell, waitHealth } from './support/health.ts';
import { type Manner, Target } from './support/target.ts';

const CASES: ReadonlyArray<{
  readonly name: string;
  readonly type: string;
  readonly bad: Manner;
  readonly unhealthy: object;
  readonly timeout?: number;
}> = [
  { name: 'refuses', type: 'http', bad: 'refuse', unhealthy: { tcp_failures: 2 } },
  { name: 'refuses-tcp', type: 'tcp', bad: 'refuse', unhealthy: { tcp_failures: 1 } },
  { name: 'hangs', type: 'http', bad: 'hang', unhealthy: { timeouts: 1 }, timeout: 0.2 },
  { name: 'errs', type: 'http', bad: 500, unhealthy: { http_failures: 3 } },
  { name: 'babbles', type: 'http', bad: 'garbage', unhealthy: { http_failures: 1 } },
  { name: 'cuts', type: 'http', bad: 'cut', unhealthy: { tcp_failures: 1 } },
];
const pairs = await Promise.all(
  CASES.map(async (one) =>
    Object.assign({}, one, { good: await Target.start(), target: await Target.start() }),
  ),
);
const gateway = await startGateway({
  config: configOf(
    pairs.map(({ name, type, unhealthy, good, target, timeout = 30 }) => ({
      name,
      targets: [good, target],
      healthchecks: {
        active: {
          type,
          timeout,
          http_path: '/probe',
          headers: { 'X-Probe': ['one', 'two'] },
          healthy: { interval: 0.05, successes: 2 },
          unhealthy: { interval: 0.05, ...unhealthy },
        },
      },
    })),
  ),
  settings: { nginx_worker_processes: 2 },
});

after(async () => {
  await gateway[Symbol.asyncDispose]();
  for (const { good, target } of pairs) for (const each of [good, target]) await each[Symbol.asyncDispose]();
});

for (const { name, bad, good, target } of pairs) {
  test(`a target that ${name} is out, and back when it is well`, async () => {
    await waitHealth(gateway, `${name}.up`, target, 'HEALTHY');
    await target.behave(bad);
    await waitHealth(gateway, `${name}.up`, target, 'UNHEALTHY');
    assert.equal((await healthOf(gateway, `${name}.up`))[good.at], 'HEALTHY');
    const before = target.count(`/${name} `);
    for (let n = 0; n < 20; n++) {
      assert.equal((await fetch(`${gateway.url}/${name}`)).status, 200);
    }
    assert.equal(target.count(`/${name} `), before, 'it got no request');
    await target.behave(200);
    await waitHealth(gateway, `${name}.up`, target, 'HEALTHY');
    await waitFor(
      async () => {
        await (await fetch(`${gateway.url}/${name}`)).arrayBuffer();
        return target.count(`/${name} `) > before;
      },
      { what: 'requests again' },
    );
  });
}

test('a probe is what Kong sends', () => {
  const { target } = pairs[0]!;
  assert.equal(
    target.heads.find((head) => head.startsWith('GET /probe')),
    'GET /probe HTTP/1.0\r\nX-Probe: one\r\nX-Probe: two\r\nHost: 127.0.0.1',
  );
});

test('who is told unhealthy is probed back', async () => {
  const { name, target } = pairs[0]!;
  await waitHealth(gateway, `${name}.up`, target, 'HEALTHY');
  assert.equal(await tell(gateway, `${name}.up`, `${target.at}/unhealthy`), 204);
  await waitHealth(gateway, `${name}.up`, target, 'HEALTHY');
  const said = [
    new RegExp(`${target.port}.* is unhealthy: the Admin API says so`),
    new RegExp(`${target.port}.* is healthy after a probe: status 200`),
  ];
  await waitFor(async () => {
    const log = await gateway.logFile('error.log');
    return said.every((line) => line.test(log));
  });
});
