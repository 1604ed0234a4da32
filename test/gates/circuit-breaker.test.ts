/** The circuit breaker on whole gateways of two workers: what opens it, what clients then read, and how it closes. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { waitFor } from '../support/wait.ts';
import { type Manner, Target } from '../health/support/target.ts';

const OPEN = 'The upstream has failed too often and gets no requests for now (circuit open)';
/** Nothing happens by itself within a test. */
const LONG = 3_600_000;
const STEADY = { open_time: LONG, max_open_time: LONG, window: LONG };

interface Case {
  readonly name: string;
  readonly config: object;
  readonly bad: Manner;
  /** What the client sees of it. */
  readonly status: number;
  /** Requests that fail before it is open. */
  readonly failures: number;
  readonly service?: object;
}

const CASES: readonly Case[] = [
  { name: 'row', config: { consecutive_failures: 3 }, bad: 500, status: 500, failures: 3 },
  {
    name: 'ratio',
    config: { error_percent: 100, minimum_requests: 5 },
    bad: 503,
    status: 503,
    failures: 5,
  },
  {
    name: 'own',
    config: { consecutive_failures: 2, failure_statuses: [418] },
    bad: 418,
    status: 418,
    failures: 2,
  },
  { name: 'refuse', config: { consecutive_failures: 2 }, bad: 'refuse', status: 502, failures: 2 },
  { name: 'cut', config: { consecutive_failures: 2 }, bad: 'cut', status: 502, failures: 2 },
  { name: 'garbage', config: { consecutive_failures: 2 }, bad: 'garbage', status: 502, failures: 2 },
  {
    name: 'hang',
    config: { consecutive_failures: 1 },
    bad: 'hang',
    status: 504,
    failures: 1,
    service: { read_timeout: 150 },
  },
];

/** What is no failure by the configuration never opens. */
const NEVER: readonly Case[] = [
  {
    name: 'share',
    config: { error_percent: 0, minimum_requests: 1, consecutive_failures: 100 },
    bad: 500,
    status: 500,
    failures: 12,
  },
  { name: 'fine', config: { consecutive_failures: 1 }, bad: 404, status: 404, failures: 12 },
  {
    name: 'conn',
    config: { consecutive_failures: 1, connection_errors: false },
    bad: 'cut',
    status: 502,
    failures: 12,
  },
  {
    name: 'time',
    config: { consecutive_failures: 1, timeouts: false },
    bad: 'hang',
    status: 504,
    failures: 3,
    service: { read_timeout: 100 },
  },
];

const all = await Promise.all(
  [...CASES, ...NEVER].map(async (one) => Object.assign({}, one, { target: await Target.start() })),
);
const config = {
  _format_version: '3.0',
  services: all.flatMap(({ name, config: own, target, service }) =>
    // Of each case a service with an upstream, and one with the address alone.
    ['u', 'a'].map((kind) =>
      Object.assign({ retries: 0 }, service, {
        name: `${kind}-${name}`,
        host: kind === 'u' ? `${name}.up` : '127.0.0.1',
        port: target.port,
        routes: [{ paths: [`/${kind}-${name}`], strip_path: false }],
        plugins: [{ name: 'circuit-breaker', config: { ...STEADY, ...own } }],
      }),
    ),
  ),
  upstreams: all.map(({ name, target }) => ({ name: `${name}.up`, targets: [{ target: target.at }] })),
};
const gateway = await startGateway({ config, settings: { nginx_worker_processes: 2 } });

after(async () => {
  await gateway[Symbol.asyncDispose]();
  for (const { target } of all) await target[Symbol.asyncDispose]();
});

interface Answer {
  readonly status: number;
  readonly message: string | null;
  readonly retryAfter: string | null;
}

/** On a connection of its own, so that any worker may get it. */
async function ask(name: string): Promise<Answer> {
  const response = await fetch(`${gateway.url}/${name}`, { headers: { connection: 'close' } });
  const text = await response.text();
  const body = text.startsWith('{') ? (JSON.parse(text) as { message?: string; request_id?: string }) : {};
  return {
    status: response.status,
    message: body.message ?? null,
    retryAfter: response.headers.get('retry-after'),
  };
}

for (const { name, bad, status, failures, target } of all.filter((one) =>
  CASES.some((c) => c.name === one.name),
)) {
  for (const kind of ['u', 'a']) {
    test(`${kind}-${name}: open after exactly ${failures} failures, in both workers`, async () => {
      await target.behave(bad);
      for (let n = 0; n < failures; n++) assert.equal((await ask(`${kind}-${name}`)).status, status);
      await target.behave(200);
      const before = target.count(`/${kind}-${name}`);
      for (let n = 0; n < 12; n++) {
        const { retryAfter, ...answer } = await ask(`${kind}-${name}`);
        assert.deepEqual(answer, { status: 503, message: OPEN });
        assert.ok(Number(retryAfter) > 3000 && Number(retryAfter) <= LONG / 1000, String(retryAfter));
      }
      assert.equal(target.count(`/${kind}-${name}`), before, 'nothing is sent there');
    });
  }
}

for (const { name, bad, status, failures, target } of all.filter((one) =>
  NEVER.some((c) => c.name === one.name),
)) {
  test(`${name}: what is no failure never opens it`, async () => {
    await target.behave(bad);
    for (let n = 0; n < failures; n++) assert.equal((await ask(`u-${name}`)).status, status);
  });
}

test('one line of the log for each change, and metrics of the node', async () => {
  const log = await gateway.logFile('error.log');
  const lines = log.split('\n').filter((line) => line.includes('upstream row.up is'));
  assert.equal(lines.length, 1, lines.join('\n'));
  assert.match(
    lines[0] ?? '',
    /\[warn\].*the circuit of target \S+ of upstream row\.up is open: 3 failures in a row/,
  );
  const text = async (): Promise<string> => (await fetch(`${gateway.statusUrl}/metrics`)).text();
  const changes =
    /sluice_plugin_circuit_breaker_changes_total\{[^}]*upstream="row\.up"[^}]*to="open"[^}]*\} 1\n/;
  const state = /sluice_plugin_circuit_breaker_state\{[^}]*upstream="row\.up"[^}]*\} 1\n/;
  await waitFor(async () => changes.test(await text()) && state.test(await text()), { what: 'the metrics' });
});

test('a breaker that nothing could open is refused', async () => {
  const plugins = [{ name: 'circuit-breaker', config: { error_percent: 0 } }];
  const { status, body } = await gateway.postConfig({ _format_version: '3.0', plugins });
  assert.equal(status, 400);
  assert.match(JSON.stringify(body), /'error_percent' 0 needs 'consecutive_failures'/);
});
