/** What a user's plugin does wrong harms its own requests, and is told with its name. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Gateway } from '../support/gateway.ts';
import { startEcho } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';
import { configWith, gatewayWith, getJson, pluginFolder } from './support/folder.ts';

function plugin(name: string, create: string, more = ''): string {
  return `import { definePlugin } from 'sluice/plugin';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
export default definePlugin({
  name: '${name}', priority: 10, config: { mode: { type: 'string', default: 'on' } },
  create(config: { mode: string }) {
    void [connect, delay];
    ${create}
  },
});
${more}`;
}

async function ask(gateway: Gateway, path: string): Promise<number> {
  const response = await fetch(`${gateway.url}${path}`);
  await response.arrayBuffer();
  return response.status;
}

interface Report {
  readonly plugins: {
    readonly faults: number;
    readonly faults_logged: Readonly<Record<string, number>>;
    readonly blocked: string[];
  };
  readonly workers: ReadonlyArray<{ readonly id: number; readonly state: string }>;
}

async function report(gateway: Gateway): Promise<Report> {
  return (await getJson<{ sluice: Report }>(`${gateway.statusUrl}/status`)).sluice;
}

async function logged(gateway: Gateway, says: RegExp): Promise<void> {
  await waitFor(async () => says.test(await gateway.logs()), { what: `the log to say ${String(says)}` });
}

test('what throws or rejects in a request is a 500 for it, and nothing for others', async () => {
  await using upstream = await startEcho();
  await using folder = await pluginFolder({
    'thrower.ts': plugin('thrower', "return { access() { throw new Error('thrown'); } };"),
    'rejecter.ts': plugin(
      'rejecter',
      "return { async access() { await delay(1); throw new Error('rejected'); } };",
    ),
    'maker.ts': plugin('maker', "throw new Error('not made');"),
    'nothing.ts': plugin('nothing', 'return null as never;'),
  });
  const config = configWith(upstream.port, {
    '/thrower': [{ name: 'thrower' }],
    '/rejecter': [{ name: 'rejecter' }],
    '/maker': [{ name: 'maker' }],
    '/nothing': [{ name: 'nothing' }],
    '/good': [],
  });
  await using gateway = await gatewayWith(folder, config);
  for (const name of ['thrower', 'rejecter', 'maker', 'nothing']) {
    assert.equal(await ask(gateway, `/${name}`), 500, name);
    assert.equal(await ask(gateway, '/good'), 200);
  }
  await logged(gateway, /plugin thrower \(.*\): Error: thrown/);
  await logged(gateway, /plugin rejecter \(.*\): Error: rejected/);
  await logged(gateway, /plugin maker .*: not made/);
  await logged(gateway, /plugin nothing .*: create answered no object of filters/);
});

const OUTSIDE: ReadonlyArray<readonly [what: string, create: string, says: RegExp]> = [
  ['a timer', "setTimeout(() => { throw new Error('in a timer'); }, 1); return {};", /in a timer/],
  [
    'a rejection',
    "void (async () => { await delay(1); throw new Error('unheard'); })(); return {};",
    /unheard/,
  ],
  ['a socket', "connect('/nowhere/at/all'); return {};", /ENOENT/],
  [
    'a request that has ended',
    "return { access() { setTimeout(() => { throw new Error('later'); }, 1); } };",
    /later/,
  ],
];

for (const [what, create, says] of OUTSIDE) {
  test(`an error of ${what} is told with the plugin's name, and the worker lives`, async () => {
    await using upstream = await startEcho();
    await using folder = await pluginFolder({ 'stray.ts': plugin('stray', create) });
    await using gateway = await gatewayWith(folder, configWith(upstream.port, { '/a': [{ name: 'stray' }] }));
    assert.equal(await ask(gateway, '/a'), 200);
    await logged(
      gateway,
      new RegExp(
        `plugin stray \\(.*stray\\.ts\\) has thrown outside of a request, in worker 0: .*${says.source}`,
      ),
    );
    const { plugins, workers } = await report(gateway);
    assert.ok(plugins.faults >= 1);
    assert.ok((plugins.faults_logged['stray'] ?? 0) >= 1);
    assert.deepEqual(
      workers.map(({ state }) => state),
      ['running'],
    );
    assert.doesNotMatch(await gateway.logs(), /died/);
    assert.equal(await ask(gateway, '/a'), 200);
  });
}

const LOOP = 'const end = Date.now() + Number(MS); while (Date.now() < end);';

const BLOCKING: ReadonlyArray<readonly [what: string, create: string]> = [
  ['in its filter', "return { access() { if (config.mode === 'on') for (;;); } };"],
  ['after an await', "return { async access() { await delay(1); if (config.mode === 'on') for (;;); } };"],
];

for (const [what, create] of BLOCKING) {
  test(`a plugin that blocks ${what} is named, its worker replaced, its routes 503, and nothing else`, async () => {
    await using upstream = await startEcho();
    await using folder = await pluginFolder({ 'blocker.ts': plugin('blocker', create) });
    const routes = (mode: string): Record<string, unknown> =>
      configWith(upstream.port, { '/block': [{ name: 'blocker', config: { mode } }], '/good': [] });
    await using gateway = await gatewayWith(folder, routes('on'), {
      nginx_worker_processes: 2,
      plugin_block_limit: 1500,
    });
    const asked = ask(gateway, '/block').catch(() => 0);
    await logged(gateway, /plugin blocker keeps worker \d from everything else/);
    await logged(
      gateway,
      /plugin blocker \(.*blocker\.ts\) kept worker \d for \d+ ms, longer than plugin_block_limit/,
    );
    assert.equal(await asked, 0);
    const whole = async (): Promise<boolean> =>
      (await report(gateway)).workers.every(({ state }) => state === 'running');
    await waitFor(whole, { what: 'both workers' });
    for (let turn = 0; turn < 20; turn++) {
      assert.equal(await ask(gateway, '/block'), 503);
      assert.equal(await ask(gateway, '/good'), 200);
    }
    assert.deepEqual((await report(gateway)).plugins.blocked, ['blocker']);
    // Another configuration is another chance, and so is other code.
    await gateway.reload(routes('off'));
    assert.equal(await ask(gateway, '/block'), 200);
    await gateway.reload(routes('on'));
    assert.equal(await ask(gateway, '/block'), 503);
    await folder.write('blocker.ts', plugin('blocker', 'return {};'));
    await gateway.reload();
    assert.equal(await ask(gateway, '/block'), 200);
    assert.deepEqual((await report(gateway)).plugins.blocked, []);
  });
}

test('a plugin that blocks for less than the limit is named, and goes on', async () => {
  await using upstream = await startEcho();
  await using folder = await pluginFolder({
    'slow.ts': plugin('slow', `return { access() { ${LOOP.replace('MS', '800')} } };`),
  });
  await using gateway = await gatewayWith(
    folder,
    configWith(upstream.port, { '/slow': [{ name: 'slow' }] }),
    {
      plugin_block_limit: 0,
    },
  );
  assert.equal(await ask(gateway, '/slow'), 200);
  await logged(gateway, /plugin slow keeps worker 0 from everything else, for \d+ ms/);
  await logged(gateway, /worker 0 goes on: plugin slow kept it for \d+ ms/);
});

test('new code that blocks while it is made ready is refused, and the code before goes on', async () => {
  await using upstream = await startEcho();
  await using folder = await pluginFolder({ 'fresh.ts': plugin('fresh', 'return {};') });
  await using gateway = await gatewayWith(folder, configWith(upstream.port, { '/a': [{ name: 'fresh' }] }), {
    plugin_block_limit: 1000,
  });
  await folder.write('fresh.ts', plugin('fresh', 'for (;;);'));
  await logged(gateway, /plugin fresh, as it is in its files now, kept worker 0/);
  await logged(gateway, /the plugins go on as they were\s[^]*the worker died/);
  await waitFor(async () => (await ask(gateway, '/a').catch(() => 0)) === 200, {
    what: 'the worker to be back',
  });
});

test('a plugin that eats the heap ends its worker alone, and is named', async () => {
  await using upstream = await startEcho();
  await using folder = await pluginFolder({
    'eater.ts': plugin(
      'eater',
      'return { access() { for (;;) kept.push({ at: kept.length, list: [1, 2, kept.length] }); } };',
      'const kept: unknown[] = [];',
    ),
  });
  const config = configWith(upstream.port, { '/eat': [{ name: 'eater' }], '/good': [] });
  await using gateway = await gatewayWith(folder, config, {
    nginx_worker_processes: 2,
    worker_heap_limit: 96,
  });
  assert.equal(await ask(gateway, '/eat').catch(() => 0), 0);
  await logged(
    gateway,
    /worker \d died \(plugin eater was running\): .*(?:ERR_WORKER_OUT_OF_MEMORY|memory limit)/,
  );
  await waitFor(async () => (await report(gateway)).workers.every(({ state }) => state === 'running'), {
    what: 'both workers',
  });
  for (let turn = 0; turn < 10; turn++) assert.equal(await ask(gateway, '/good'), 200);
});
