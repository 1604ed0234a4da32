/** The plugins in the guides are plugins: they compile, load, and do on a gateway what they are there for. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { sluice } from '../support/gateway.ts';
import { startEcho } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';
import { admin } from './support/admin.ts';
import { configWith, gatewayWith, pluginFolder } from './support/folder.ts';

const TSC = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');

/** Blocks that begin with the name of their file. */
async function examples(guide: string): Promise<Record<string, string>> {
  const text = await readFile(new URL(`../../docs/guide/${guide}`, import.meta.url), 'utf8');
  const blocks = text.matchAll(/^```ts\n\/\/ ([a-z-]+\.ts)\n([^]*?)^```$/gm);
  return Object.fromEntries([...blocks].map(([, name = '', code = '']) => [name, code]));
}

test('every example compiles, and runs', async () => {
  const services = await examples('plugins-services.md');
  const files = { ...services, ...(await examples('plugins-entities.md')) };
  assert.deepEqual(Object.keys(files).sort(), [
    'beats.ts',
    'flags.ts',
    'plans.ts',
    'seen.ts',
    'signed.ts',
    'told.ts',
    'visits.ts',
    'who.ts',
  ]);
  await using folder = await pluginFolder(files);
  // With the tsconfig.json that authors get.
  await sluice(['plugin', 'new', 'greet'], { SLUICE_PLUGINS_DIR: folder.path });
  const output = await new Promise<string>((resolve) => {
    execFile(process.execPath, [TSC, '-p', folder.path], (_error, stdout, stderr) =>
      resolve(stdout + stderr),
    );
  });
  assert.equal(output, '');

  await using upstream = await startEcho();
  const all = Object.keys(services).map((file) => ({ name: file.replace('.ts', '') }));
  const config = configWith(upstream.port, { '/a': all, '/b': [{ name: 'who' }, { name: 'plans' }] });
  await using gateway = await gatewayWith(folder, config, { database: 'sqlite' });
  const seen = async (
    path: string,
    headers: Record<string, string> = {},
  ): Promise<Record<string, string>> => {
    const response = await fetch(gateway.url + path, { headers });
    const text = await response.text();
    return response.status === 200 ? (JSON.parse(text) as { headers: Record<string, string> }).headers : {};
  };
  for (const [method, path, body] of [
    ['POST', '/consumers', { username: 'anna' }],
    ['POST', '/consumers/anna/key-auth', { key: 'k' }],
    ['POST', '/plans', { name: 'gold' }],
    ['POST', '/consumers/anna/subscriptions', { plan: { name: 'gold' } }],
  ] as const)
    assert.equal((await admin(gateway, method, path, body)).status, 201, path);
  const first = await seen('/a', { 'x-key': 'k' });
  assert.deepEqual(
    [first['x-visits'], first['x-flags'], first['x-seen'], first['x-consumer-username']],
    ['1', 'unknown', 'never', 'anna'],
  );
  assert.match(first['x-signature'] ?? '', /^[0-9a-f]{64}\.0$/);
  const second = await seen('/a');
  assert.deepEqual([second['x-visits'], second['x-seen']], ['2', 'before']);
  assert.equal((await seen('/b', { 'x-key': 'k' }))['x-plan'], 'gold 10');
  assert.deepEqual(await seen('/b'), {});
  assert.match(await gateway.logs(), /\[told\] made for one route, in worker 0 of /);
  await waitFor(async () => {
    const metrics = await (await fetch(`${gateway.statusUrl}/metrics`)).text();
    return /beats_requests\S* 2$/m.test(metrics) && /beats_beats\S* [1-9]/.test(metrics);
  });
});
