/** Workers that die, and a configuration in a store: what is known of targets stays with the node. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait.ts';
import { configOf, healthOf, tell } from './support/health.ts';
import { Target } from './support/target.ts';

const healthchecks = { passive: { unhealthy: { tcp_failures: 1 } } };
const PRELOAD = new URL('support/mortal.ts', import.meta.url).href;

test('a worker that dies leaves the states behind, and the next one goes by them', async () => {
  await using folder = await tempDir();
  const dieFile = join(folder.path, 'die');
  await using good = await Target.start();
  await using bad = await Target.start();
  await using gateway = await startGateway({
    config: configOf([{ name: 'n', targets: [good, bad], healthchecks }]),
    settings: { nginx_worker_processes: 1 },
    env: { NODE_OPTIONS: `--import=${PRELOAD}`, DIE_FILE: dieFile },
  });
  const ask = async (): Promise<number> => {
    const response = await fetch(`${gateway.url}/n`, { headers: { connection: 'close' } }).catch(() => null);
    await response?.arrayBuffer();
    return response?.status ?? 0;
  };
  await bad.behave('refuse');
  await waitFor(async () => (await ask()) === 502);
  await bad.behave(200);
  await writeFile(dieFile, '');
  await waitFor(async () => /worker 0 is back/.test(await gateway.logFile('error.log')));
  assert.deepEqual(await healthOf(gateway, 'n.up'), { [good.at]: 'HEALTHY', [bad.at]: 'UNHEALTHY' });
  await waitFor(async () => (await ask()) === 200);
  for (let n = 0; n < 10; n++) assert.equal(await ask(), 200);
  assert.equal(bad.count('/n '), 0);
  await tell(gateway, 'n.up', `${bad.at}/healthy`);
  await waitFor(async () => (await ask()) === 200 && bad.count('/n ') > 0);
  await bad.behave('refuse');
  await waitFor(async () => (await ask()) === 502);
  for (let n = 0; n < 10; n++) assert.equal(await ask(), 200);
});

test('upstreams and targets that come, change and go over the Admin API of a store', async () => {
  await using good = await Target.start();
  await using bad = await Target.start();
  await using gateway = await startGateway({
    settings: { database: 'sqlite', nginx_worker_processes: 2 },
  });
  const write = async (method: string, path: string, body?: object): Promise<void> => {
    const response = await fetch(gateway.adminUrl + path, {
      method,
      ...(body === undefined
        ? {}
        : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    assert.ok(response.ok, `${method} ${path}: ${await response.text()}`);
  };
  const ask = async (): Promise<number> => (await fetch(`${gateway.url}/s`)).status;
  await write('PUT', '/upstreams/u', { healthchecks: {} });
  await write('POST', '/upstreams/u/targets', { target: good.at });
  await write('PUT', '/services/s', { host: 'u', retries: 0 });
  await write('PUT', '/routes/r', { service: { name: 's' }, paths: ['/s'] });
  assert.equal((await healthOf(gateway, 'u'))[good.at], 'HEALTHCHECKS_OFF');
  await write('PATCH', '/upstreams/u', { healthchecks });
  assert.equal((await healthOf(gateway, 'u'))[good.at], 'HEALTHY');
  await bad.behave('refuse');
  await write('POST', '/upstreams/u/targets', { target: bad.at });
  await waitFor(async () => (await ask()) === 502);
  const states = { [good.at]: 'HEALTHY', [bad.at]: 'UNHEALTHY' };
  assert.deepEqual(await healthOf(gateway, 'u'), states);
  await write('PATCH', '/upstreams/u', { tags: ['x'], name: 'v' });
  await write('PATCH', '/services/s', { host: 'v' });
  assert.deepEqual(await healthOf(gateway, 'v'), states);
  for (let n = 0; n < 10; n++) assert.equal(await ask(), 200);
  const active = {
    healthy: { interval: 0.05, successes: 1 },
    unhealthy: { interval: 0.05, tcp_failures: 1 },
  };
  await write('PATCH', '/upstreams/v', { healthchecks: { active } });
  await bad.behave(200);
  await waitFor(async () => (await healthOf(gateway, 'v'))[bad.at] === 'HEALTHY');
  await write('DELETE', `/upstreams/v/targets/${bad.at}`);
  assert.deepEqual(await healthOf(gateway, 'v'), { [good.at]: 'HEALTHY' });
  const probes = bad.connections;
  const seen = good.connections;
  await waitFor(() => good.connections > seen + 3);
  assert.ok(bad.connections <= probes + 1, 'it is not probed any more');
});
