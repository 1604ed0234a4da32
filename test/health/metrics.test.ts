/** What `/metrics` tells of the health of targets: the state of each address, and how often it changed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { waitFor } from '../support/wait.ts';
import { configOf, tell, waitHealth } from './support/health.ts';
import { Target } from './support/target.ts';

test('states and changes of addresses are metrics, whoever has found them', async () => {
  await using good = await Target.start();
  await using bad = await Target.start();
  const passive = { unhealthy: { tcp_failures: 1 } };
  const active = {
    healthy: { interval: 0.05, successes: 1 },
    unhealthy: { interval: 0.05, tcp_failures: 1 },
  };
  await using gateway = await startGateway({
    config: configOf([
      { name: 'passive', healthchecks: { passive }, targets: [good, bad] },
      { name: 'active', healthchecks: { active }, targets: [good, bad, `localhost:${good.port}`] },
      { name: 'unchecked', healthchecks: {}, targets: [good] },
    ]),
    settings: { nginx_worker_processes: 2 },
  });
  /** Lines of the two families, without their name's beginning. */
  const told = async (): Promise<string[]> => {
    const text = await (await fetch(`${gateway.statusUrl}/metrics`)).text();
    return text
      .split('\n')
      .filter((line) => line.startsWith('sluice_target_'))
      .map((line) => line.slice('sluice_target_'.length))
      .sort();
  };
  const line = (what: string, upstream: string, target: string, address: string, value: number): string =>
    `${what}{upstream="${upstream}.up",target="${target}",address="${address}"} ${value}`;
  const all = (changes: { readonly passive: number; readonly active: number }): string[] => {
    const lines = (upstream: string, target: string, address: string, count: number): string[] => [
      line('healthy', upstream, target, address, count % 2 === 0 ? 1 : 0),
      line('health_changes_total', upstream, target, address, count),
    ];
    return [
      ...lines('passive', good.at, good.at, 0),
      ...lines('passive', bad.at, bad.at, changes.passive),
      ...lines('active', good.at, good.at, 0),
      ...lines('active', bad.at, bad.at, changes.active),
      ...lines('active', `localhost:${good.port}`, good.at, 0),
    ].sort();
  };
  const addresses = async (): Promise<boolean> =>
    (await told()).some((each) => each.includes('target="localhost'));
  await waitFor(addresses, { what: 'the name to be resolved' });
  assert.deepEqual(await told(), all({ passive: 0, active: 0 }));
  await bad.behave('refuse');
  await waitHealth(gateway, 'active.up', bad, 'UNHEALTHY');
  await waitFor(
    async () => (await fetch(`${gateway.url}/passive`, { headers: { connection: 'close' } })).status === 502,
  );
  assert.deepEqual(await told(), all({ passive: 1, active: 1 }));
  await bad.behave(200);
  await waitHealth(gateway, 'active.up', bad, 'HEALTHY');
  assert.equal(await tell(gateway, 'passive.up', `${bad.at}/healthy`), 204);
  assert.equal(await tell(gateway, 'passive.up', `${bad.at}/healthy`), 204, 'it is already');
  assert.deepEqual(await told(), all({ passive: 2, active: 2 }));
});
