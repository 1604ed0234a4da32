/** What follows when a breaker is open: other targets, probes, the Admin API, reloads, workers that die. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait.ts';
import { Target } from '../health/support/target.ts';

const LONG = 3_600_000;
const STEADY = { open_time: LONG, max_open_time: LONG, window: LONG, consecutive_failures: 1 };
const PRELOAD = new URL('../health/support/mortal.ts', import.meta.url).href;

function configOf(targets: readonly Target[], breaker: object, service: object = {}) {
  return {
    _format_version: '3.0',
    upstreams: [{ name: 'up', targets: targets.map(({ at }) => ({ target: at })) }],
    services: [
      {
        id: '5b1c0000-0000-4000-8000-000000000001',
        name: 's',
        host: 'up',
        retries: 0,
        ...service,
        routes: [{ paths: ['/'], strip_path: false }],
        plugins: [{ id: '5b1c0000-0000-4000-8000-000000000002', name: 'circuit-breaker', config: breaker }],
      },
    ],
  };
}

async function ask(gateway: Gateway, path = '/x'): Promise<number> {
  const response = await fetch(gateway.url + path, { headers: { connection: 'close' } }).catch(() => null);
  await response?.arrayBuffer();
  return response?.status ?? 0;
}

interface Circuit {
  readonly id: string;
  readonly target: string | null;
  readonly state: string;
  readonly openings: number;
}

async function circuits(gateway: Gateway, query = ''): Promise<readonly Circuit[]> {
  const response = await fetch(`${gateway.adminUrl}/plugins-api/circuit-breaker/circuits${query}`);
  assert.equal(response.status, 200);
  return ((await response.json()) as { data: Circuit[] }).data;
}

async function stateOf(gateway: Gateway, target: Target | null): Promise<string | undefined> {
  return (await circuits(gateway)).find((one) => one.target === (target?.at ?? null))?.state;
}

test('an open target is passed over, also when a request is tried again', async () => {
  await using good = await Target.start();
  await using bad = await Target.start();
  await using gateway = await startGateway({
    config: configOf([good, bad], STEADY, { retries: 3 }),
    settings: { nginx_worker_processes: 2 },
  });
  await bad.behave('cut');
  await waitFor(async () => (assert.equal(await ask(gateway), 200), bad.connections > 0));
  const { connections } = bad;
  for (let n = 0; n < 20; n++) assert.equal(await ask(gateway), 200);
  assert.equal(bad.connections, connections);
  // The one that is left fails: no try goes to the open one, and when both are open none goes anywhere.
  await good.behave(500);
  assert.equal(await ask(gateway), 500);
  const before = good.connections;
  for (let n = 0; n < 6; n++) assert.equal(await ask(gateway), 503);
  assert.deepEqual([good.connections, bad.connections], [before, connections]);
});

test('at most max_ejected_percent of the targets are open', async () => {
  const targets = await Promise.all([1, 2, 3, 4].map(() => Target.start()));
  try {
    await using gateway = await startGateway({
      config: configOf(targets, { ...STEADY, max_ejected_percent: 50 }),
      settings: { nginx_worker_processes: 2 },
    });
    for (const target of targets) await target.behave(500);
    for (let n = 0; n < 40; n++) assert.equal(await ask(gateway), 500);
    assert.equal((await circuits(gateway, '?state=open')).length, 2);
  } finally {
    for (const target of targets) await target[Symbol.asyncDispose]();
  }
});

test('half-open: probes one at a time on the whole node; failures open it again for longer, successes close it', async () => {
  await using target = await Target.start();
  const rules = { open_time: 100, backoff: 10, max_open_time: 400, half_open_successes: 2, window: LONG };
  await using gateway = await startGateway({
    config: configOf(
      [target],
      { ...rules, consecutive_failures: 1, timeouts: false },
      { read_timeout: 60_000 },
    ),
    settings: { nginx_worker_processes: 2 },
  });
  await target.behave(500);
  assert.equal(await ask(gateway), 500);
  // Again and again, until a probe gets through and fails.
  await waitFor(async () => (await ask(gateway)) === 500);
  const [again] = await circuits(gateway);
  assert.deepEqual([again?.state, again?.openings], ['open', 2]);
  await target.behave('hang');
  const seen = target.count('/');
  const asked: Array<Promise<number>> = [];
  const abort = new AbortController();
  const hanging = (): Promise<number> =>
    fetch(`${gateway.url}/x`, { headers: { connection: 'close' }, signal: abort.signal }).then(
      (response) => response.status,
      () => 0,
    );
  await waitFor(() => {
    asked.push(hanging());
    return target.count('/') > seen;
  });
  // One is under way and hangs: whoever comes now is refused, whichever worker it meets.
  for (let n = 0; n < 12; n++) assert.equal(await ask(gateway), 503);
  assert.equal(target.count('/'), seen + 1);
  // Its client goes: the place of the probe is free, and the next ones close it.
  abort.abort();
  await target.behave(200);
  await waitFor(async () => (await ask(gateway)) === 200);
  await waitFor(async () => (await ask(gateway)) === 200 && (await stateOf(gateway, target)) === 'closed');
  for (let n = 0; n < 12; n++) assert.equal(await ask(gateway), 200);
  await Promise.all(asked);
});

test('a probe of a worker that dies is not counted any more', async () => {
  await using folder = await tempDir();
  const dieFile = join(folder.path, 'die');
  await using target = await Target.start();
  const rules = { open_time: 100, max_open_time: 100, half_open_successes: 1, window: LONG };
  await using gateway = await startGateway({
    config: configOf([target], { ...rules, consecutive_failures: 1 }),
    settings: { nginx_worker_processes: 1 },
    env: { NODE_OPTIONS: `--import=${PRELOAD}`, DIE_FILE: dieFile },
  });
  await target.behave(500);
  assert.equal(await ask(gateway), 500);
  await target.behave('hang');
  const seen = target.count('/');
  const asked: Array<Promise<number>> = [];
  await waitFor(() => {
    asked.push(ask(gateway));
    return target.count('/') > seen;
  });
  assert.equal(await ask(gateway), 503);
  await writeFile(dieFile, '');
  await waitFor(async () => /worker 0 is back/.test(await gateway.logFile('error.log')));
  assert.ok((await Promise.all(asked)).includes(0), 'the one that was on its way');
  await target.behave(200);
  await waitFor(async () => (await ask(gateway)) === 200);
});

test('states outlive reloads; the Admin API shows them, opens and resets', async () => {
  await using good = await Target.start();
  await using bad = await Target.start();
  await using third = await Target.start();
  const breaker = { ...STEADY, per: ['target', 'upstream'], error_percent: 100, minimum_requests: 1000 };
  const own = { ...breaker, consecutive_failures: 3 };
  await using gateway = await startGateway({
    config: configOf([good, bad], own),
    settings: { nginx_worker_processes: 2 },
  });
  await bad.behave(500);
  await waitFor(async () => (await ask(gateway), (await stateOf(gateway, bad)) === 'open'));
  assert.deepEqual([await stateOf(gateway, good), await stateOf(gateway, null)], ['closed', 'closed']);
  // Another configuration of the plugin, and another list of targets.
  await gateway.reload(configOf([good, bad, third], { ...own, consecutive_failures: 4 }));
  await waitFor(async () => (assert.equal(await ask(gateway), 200), third.connections > 0));
  assert.equal(await stateOf(gateway, bad), 'open');
  const api = `${gateway.adminUrl}/plugins-api/circuit-breaker/circuits`;
  const put = async (id: string, what: string): Promise<number> => {
    const response = await fetch(`${api}/${id}/${what}`, { method: 'PUT' });
    await response.arrayBuffer();
    return response.status;
  };
  const idOf = async (target: Target | null): Promise<string> =>
    (await circuits(gateway)).find((one) => one.target === (target?.at ?? null))?.id ?? '';
  assert.equal(await put(await idOf(null), 'open'), 200);
  for (let n = 0; n < 8; n++) assert.equal(await ask(gateway), 503);
  assert.equal(await stateOf(gateway, null), 'forced-open');
  assert.equal(await put(await idOf(null), 'reset'), 200);
  for (let n = 0; n < 8; n++) assert.equal(await ask(gateway), 200);
  await bad.behave(200);
  const before = bad.count('/');
  assert.equal(await put(await idOf(bad), 'reset'), 200);
  await waitFor(async () => (assert.equal(await ask(gateway), 200), bad.count('/') > before));
  const refusals: ReadonlyArray<readonly [path: string, method: string, status: number]> = [
    ['/0000000000000000', 'GET', 404],
    ['/0000000000000000/open', 'PUT', 404],
    ['?size=0', 'GET', 400],
    ['?size=1001', 'GET', 400],
    ['?offset=x', 'GET', 400],
    ['?state=ajar', 'GET', 400],
    ['', 'DELETE', 405],
  ];
  for (const [path, method, status] of refusals) {
    const response = await fetch(api + path, { method });
    await response.arrayBuffer();
    assert.equal(response.status, status, `${method} ${path}`);
  }
  const one = (await (await fetch(`${api}/${await idOf(good)}`)).json()) as Circuit;
  assert.equal(one.target, good.at);
});
