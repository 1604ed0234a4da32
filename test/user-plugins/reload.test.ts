/** Plugins are read again while requests run: none fails, and what does not load changes nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Gateway, sluice } from '../support/gateway.ts';
import { startEcho } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';
import { configWith, gatewayWith, getJson, headerPlugin, pluginFolder } from './support/folder.ts';

const RELOADS = 20;

async function header(gateway: Gateway, name: string, path = '/a'): Promise<string | null> {
  const response = await fetch(`${gateway.url}${path}`);
  await response.arrayBuffer();
  return response.headers.get(name);
}

interface Report {
  readonly reloads: number;
  readonly held: ReadonlyArray<{ readonly versions: number; readonly timers: number }>;
}

async function status(gateway: Gateway): Promise<Report> {
  const { sluice: report } = await getJson<{ sluice: { plugins: Report } }>(`${gateway.statusUrl}/status`);
  return report.plugins;
}

test('20 reloads of a plugin under load: no request fails, and each change is seen, also in what it imports', async () => {
  await using upstream = await startEcho();
  await using folder = await pluginFolder({
    'stamp.ts': headerPlugin('stamp', 'WORD', "import { WORD } from './_lib/words.ts';"),
    '_lib/words.ts': "export const WORD: string = 'w0';\n",
    'still.ts': headerPlugin('still', 'String(++loads)', 'let loads = 0;'),
  });
  const config = configWith(upstream.port, { '/a': [{ name: 'stamp' }, { name: 'still' }] });
  await using gateway = await gatewayWith(folder, config, { nginx_worker_processes: 2 });
  let stop = false;
  const failures: string[] = [];
  let requests = 0;
  const load = Array.from({ length: 8 }, async () => {
    while (!stop) {
      try {
        const response = await fetch(`${gateway.url}/a`);
        await response.arrayBuffer();
        requests++;
        if (response.status !== 200 || response.headers.get('x-stamp') === null)
          failures.push(String(response.status));
      } catch (error) {
        failures.push(String(error));
      }
    }
  });
  for (let turn = 1; turn <= RELOADS; turn++) {
    await folder.write('_lib/words.ts', `export const WORD: string = 'w${turn}';\n`);
    await waitFor(async () => (await header(gateway, 'x-stamp')) === `-w${turn}`, { what: `w${turn}` });
  }
  stop = true;
  await Promise.all(load);
  assert.deepEqual(failures, []);
  assert.ok(requests > RELOADS);
  const { reloads, held } = await status(gateway);
  assert.equal(reloads, RELOADS);
  assert.deepEqual(
    held.map(({ versions }) => versions),
    [RELOADS, RELOADS],
  );
  // A plugin that has not changed is not loaded again.
  assert.ok(Number((await header(gateway, 'x-still'))?.slice(1)) > RELOADS);
});

test('a file that does not load, or a schema that a configuration breaks, leaves the plugins as they are', async () => {
  await using upstream = await startEcho();
  await using folder = await pluginFolder({ 'stamp.ts': headerPlugin('stamp', "'one'") });
  await using gateway = await gatewayWith(
    folder,
    configWith(upstream.port, { '/a': [{ name: 'stamp', config: { prefix: 'p' } }] }),
  );
  const refused: ReadonlyArray<readonly [text: string, says: RegExp]> = [
    ['export default {\n name: ;\n}', /stamp\.ts: line 2: /],
    [
      headerPlugin('stamp', "'two'").replace('prefix: {', 'other: {'),
      /plugin stamp \(.*\): config\.prefix: unknown field/,
    ],
    [
      headerPlugin('stamp', "'two'").replace("'string'", "'integer'").replace("'-'", '1'),
      /config\.prefix: expected an integer/,
    ],
    [
      headerPlugin('stamp', "'two'").replace('return {', "throw new Error('cannot'); return {"),
      /worker 0: plugin stamp \(.*\): cannot/,
    ],
  ];
  for (const [text, says] of refused) {
    await folder.write('stamp.ts', text);
    const reload = await sluice(['reload', '-c', gateway.conf]);
    assert.equal(reload.code, 1);
    assert.match(reload.stderr, /the plugins go on as they were/);
    assert.match(reload.stderr, says);
    assert.equal(await header(gateway, 'x-stamp'), 'pone');
  }
  await folder.remove('stamp.ts');
  const gone = await sluice(['reload', '-c', gateway.conf]);
  assert.match(gone.stderr, /plugin stamp \(.*\): its file is gone, and this configuration uses it/);
  assert.equal(await header(gateway, 'x-stamp'), 'pone');
  // A worker that starts now runs what was accepted.
  await folder.write(
    'stamp.ts',
    headerPlugin('stamp', "'three'", '').replace(
      "default: '-'",
      "default: '-' }, more: { type: 'string', default: 'm'",
    ),
  );
  await gateway.reload();
  assert.equal(await header(gateway, 'x-stamp'), 'pthree');
  const plugins = await getJson<{ data: Array<{ config: object }> }>(`${gateway.adminUrl}/plugins`);
  assert.deepEqual(plugins.data[0]?.config, { prefix: 'p', more: 'm' });
});

test('a new file is a plugin, and a plugin that goes together with its configuration is gone', async () => {
  await using upstream = await startEcho();
  await using folder = await pluginFolder({});
  await using gateway = await gatewayWith(folder, configWith(upstream.port, { '/a': [] }));
  await folder.write('late/index.ts', headerPlugin('late', "'here'"));
  const listed = async (): Promise<boolean> => {
    const { enabled_plugins: names } = await getJson<{ enabled_plugins: string[] }>(
      `${gateway.adminUrl}/plugins/enabled`,
    );
    return names.includes('late');
  };
  await waitFor(listed, { what: 'the plugin to be listed' });
  await gateway.reload(configWith(upstream.port, { '/a': [{ name: 'late' }] }));
  assert.equal(await header(gateway, 'x-late'), '-here');
  await gateway.writeConfig(configWith(upstream.port, { '/a': [] }));
  await folder.remove('late');
  await gateway.reload();
  assert.equal(await header(gateway, 'x-late'), null);
  assert.equal(await listed(), false);
});

test('dispose is called for instances that are replaced, and timers that stay are counted', async () => {
  await using upstream = await startEcho();
  const leaking = (word: string): string => `import { definePlugin } from 'sluice/plugin';
export default definePlugin({
  name: 'leaky', priority: 1, config: {},
  create(_config, gateway) {
    setInterval(() => {}, 1000000);
    return { headerFilter(x) { x.response.headers.set('x-leaky', '${word}'); }, dispose() { gateway.log.warn('disposed ${word}'); } };
  },
});
`;
  await using folder = await pluginFolder({ 'leaky.ts': leaking('a') });
  await using gateway = await gatewayWith(folder, configWith(upstream.port, { '/a': [{ name: 'leaky' }] }));
  const timers: number[] = [];
  for (const word of ['b', 'c', 'd']) {
    await folder.write('leaky.ts', leaking(word));
    await gateway.reload();
    assert.equal(await header(gateway, 'x-leaky'), word);
    timers.push((await status(gateway)).held[0]?.timers ?? 0);
  }
  assert.ok(timers[0]! < timers[1]! && timers[1]! < timers[2]!, String(timers));
  await waitFor(async () => /disposed c/.test(await gateway.logs()), { what: 'dispose' });
});
