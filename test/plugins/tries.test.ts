/** What plugins are told of the tries of a request, as Kong's log entries have them. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { TryRecord } from '../../src/plugins/kit/tries.ts';
import { send } from '../proxy/support/ask.ts';
import { startPlane } from '../support/data-plane.ts';
import { freePort } from '../support/ports.ts';
import type { TestPlugin } from '../support/plugins.ts';
import { waitFor } from '../support/wait.ts';
import { Plans } from './support/planned.ts';

const plans = new Plans();
const a = await plans.start('a');
const refused = await freePort();
after(() => a[Symbol.asyncDispose]());

const logged: Array<readonly TryRecord[]> = [];
const watcher: TestPlugin = {
  name: 'watcher',
  priority: 1,
  filters: { log: ({ tries }) => void logged.push(tries) },
};
const retry = {
  name: 'retry',
  config: { statuses: [503], backoff_base: 0, budget: { percent: 100, min_per_second: 1000 } },
};

const CASES: ReadonlyArray<
  readonly [plan: string, status: number, states: ReadonlyArray<readonly [string | null, number | null]>]
> = [
  ['200', 200, [[null, null]]],
  [
    '503',
    200,
    [
      ['next', 503],
      [null, null],
    ],
  ],
  [
    'reset 503',
    200,
    [
      ['failed', 502],
      ['next', 503],
      [null, null],
    ],
  ],
  [
    '503 503 503',
    503,
    [
      ['next', 503],
      ['next', 503],
      [null, null],
    ],
  ],
  [
    'reset reset reset',
    502,
    [
      ['failed', 502],
      ['failed', 502],
      ['failed', 502],
    ],
  ],
];

test('tries: ip, port, start, state and code of each', async () => {
  const settings = { upstream_keepalive_pool_size: '0' };
  await using plane = await startPlane(a.port, {
    settings,
    plugins: [retry, watcher],
    service: { retries: 2 },
  });
  for (const [plan, status, states] of CASES) {
    logged.length = 0;
    const began = Date.now();
    const response = await send(plane.port, { lines: [`X-Case: tries ${plan}`, `X-Plan: ${plan}`] });
    assert.equal(response.status, status);
    await waitFor(() => logged.length > 0, { what: 'the log phase' });
    assert.deepEqual(
      logged[0]?.map(({ state, code }) => [state, code]),
      states,
      plan,
    );
    let last = began - 1000;
    for (const { ip, port, startedAt } of logged[0] ?? []) {
      assert.deepEqual([ip, port], ['127.0.0.1', a.port]);
      assert.ok(startedAt >= last && startedAt <= Date.now() + 1000);
      last = startedAt;
    }
  }
});

test('no try: none', async () => {
  await using plane = await startPlane(refused, { routed: false, plugins: [watcher] });
  logged.length = 0;
  assert.equal((await send(plane.port)).status, 404);
  await waitFor(() => logged.length > 0);
  assert.deepEqual(logged[0], []);
});

test('a try that could not connect: one, failed', async () => {
  await using plane = await startPlane(refused, { plugins: [watcher], service: { retries: 0 } });
  logged.length = 0;
  assert.equal((await send(plane.port)).status, 502);
  await waitFor(() => logged.length > 0);
  assert.deepEqual(
    logged[0]?.map(({ state, code, port }) => [state, code, port]),
    [['failed', 502, refused]],
  );
});
