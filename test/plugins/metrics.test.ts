/** Metrics and costs of plugins on a whole gateway: summed over workers, and not lost when one dies. */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { tempDir } from '../support/temp-dir.ts';
import { startEcho } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';

const ID = '5e8c5bd1-3c6a-4c55-9f07-3f4b4a8f8a01';
const UNUSED = '5e8c5bd1-3c6a-4c55-9f07-3f4b4a8f8a02';

const PLUGIN = `
import { definePlugin } from 'sluice/plugin';
export default definePlugin({
  name: 'counting',
  priority: 10,
  config: {},
  create(config, gateway) {
    const seen = gateway.metrics.counter('seen_total', 'Requests by path.', ['path']);
    return {
      async access({ request }) {
        seen(1, [request.path]);
        await new Promise((resolve) => setImmediate(resolve));
        if (request.path === '/r/fail') throw new Error('as asked');
        if (request.path === '/r/die') setImmediate(() => process.exit(1));
      },
    };
  },
});
`;

test('what plugins count and cost is told for the whole node', async () => {
  await using folder = await tempDir();
  const plugins = join(folder.path, 'plugins');
  await mkdir(plugins);
  await writeFile(join(plugins, 'counting.ts'), PLUGIN);
  await using upstream = await startEcho();
  const route = { name: 'r', paths: ['/r'], strip_path: false, plugins: [{ id: ID, name: 'counting' }] };
  await using gateway = await startGateway({
    settings: { plugins_dir: plugins, nginx_worker_processes: 2 },
    config: {
      _format_version: '3.0',
      services: [{ name: 's', url: upstream.url, routes: [route] }],
      plugins: [{ id: UNUSED, name: 'counting', enabled: false }],
    },
  });
  const ask = async (path: string): Promise<number | null> =>
    fetch(`${gateway.url}${path}`, { headers: { connection: 'close' } }).then(
      ({ status }) => status,
      () => null,
    );
  for (let n = 0; n < 40; n++) assert.equal(await ask('/r/a'), 200);
  for (let n = 0; n < 3; n++) assert.equal(await ask('/r/fail'), 500);
  const text = async (base: string): Promise<string> => {
    const response = await fetch(`${base}/metrics`);
    assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
    return response.text();
  };
  for (const base of [gateway.adminUrl, gateway.statusUrl]) {
    const told = await text(base);
    for (const line of [
      'sluice_plugin_counting_seen_total{plugin="counting",path="/r/a"} 40',
      'sluice_plugin_counting_seen_total{plugin="counting",path="/r/fail"} 3',
      `sluice_plugin_calls_total{plugin="counting",id="${ID}"} 43`,
      `sluice_plugin_failures_total{plugin="counting",id="${ID}"} 3`,
      'sluice_plugin_zone_entries 0',
    ]) {
      assert.ok(told.split('\n').includes(line), `${line}\n\n${told}`);
    }
  }
  interface Spread {
    readonly samples: number;
    readonly mean_us: number;
    readonly p99_us: number;
  }
  interface Cost {
    readonly id: string;
    readonly name: string;
    readonly calls: number;
    readonly failures: number;
    readonly synchronous: Spread;
    readonly waiting: Spread;
  }
  const cost = async (id: string): Promise<{ status: number; body: Cost }> => {
    const response = await fetch(`${gateway.adminUrl}/plugins/${id}/cost`);
    return { status: response.status, body: (await response.json()) as Cost };
  };
  const { body } = await cost(ID);
  assert.deepEqual([body.id, body.name, body.calls, body.failures], [ID, 'counting', 43, 3]);
  for (const part of ['synchronous', 'waiting'] as const) {
    assert.ok(
      body[part].samples >= 3 && body[part].mean_us > 0 && body[part].p99_us > 0,
      JSON.stringify(body),
    );
  }
  assert.equal((await cost(UNUSED)).body.calls, 0);
  assert.equal((await cost('5e8c5bd1-3c6a-4c55-9f07-3f4b4a8f8aff')).status, 404);

  await ask('/r/die');
  await waitFor(async () => (await gateway.logs()).includes('is back with revision'));
  assert.equal(await ask('/r/a'), 200);
  const after = await text(gateway.adminUrl);
  assert.match(after, /seen_total\{plugin="counting",path="\/r\/a"\} 41\n/);
});
