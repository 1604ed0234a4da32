/** retry: what is tried again by status, method and failure, what never is, and what the client gets in the end. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startPlane } from '../support/data-plane.ts';
import { startGateway } from '../support/gateway.ts';
import type { ConfiguredPlugin } from '../support/plugins.ts';
import { freePort } from '../support/ports.ts';
import { connectRaw } from '../support/raw-client.ts';
import { waitFor } from '../support/wait.ts';
import { requestText, send } from '../proxy/support/ask.ts';
import { Plans, sha256 } from './support/planned.ts';

const plans = new Plans();
const a = await plans.start('a');
const b = await plans.start('b');
const refused = await freePort();

const AMPLE = { percent: 100, min_per_second: 1000 };
const plugin = (config: object): ConfiguredPlugin[] => [
  { name: 'retry', config: { backoff_base: 0, budget: AMPLE, ...config } },
];
const service = (name: string, config: object | null, fields: object = {}): object => ({
  name,
  host: '127.0.0.1',
  port: a.port,
  retries: 2,
  ...fields,
  plugins: config === null ? [] : plugin(config),
  routes: [
    { name, paths: [`/${name}`] },
    { name: `${name}-streamed`, paths: [`/streamed/${name}`], request_buffering: false },
  ],
});
const targets = (ports: readonly number[]): object[] =>
  ports.map((port) => ({ target: `127.0.0.1:${port}` }));
const DOWN = { passive: { type: 'http', unhealthy: { http_failures: 1, tcp_failures: 1, timeouts: 1 } } };

const gateway = await startGateway({
  config: {
    _format_version: '3.0',
    upstreams: [
      { name: 'both', targets: targets([a.port, b.port]) },
      { name: 'dying', targets: targets([a.port, b.port]), healthchecks: DOWN },
    ],
    services: [
      service('kong', null),
      service('plain', {}),
      service('status', { statuses: [503] }),
      service('once', { statuses: [503], attempts: 1 }),
      service('never', { statuses: [503], attempts: 0 }),
      service('post', { statuses: [503], methods: ['POST'] }),
      service('invalid', { on: ['invalid_response'] }),
      service('nothing', { on: [] }),
      service('impatient', { per_try_timeout: 1000 }),
      service('both', { statuses: [503] }, { host: 'both' }),
      service('dying', { statuses: [503] }, { host: 'dying' }),
      service('slow', { statuses: [503], backoff_base: 60_000, backoff_max: 60_000, retry_after_max: 60 }),
      service('poor', { statuses: [503], budget: { percent: 0, min_per_second: 0 } }),
      service('refused', { on: ['connect_failure'] }, { port: refused }),
    ],
  },
  // A reset of a connection that was idle would not count.
  settings: { request_buffer_size: '64k', upstream_keepalive_pool_size: 0 },
});
const port = gateway.proxyPort;

after(async () => {
  for (const each of [gateway, a, b]) await each[Symbol.asyncDispose]();
});

interface Case {
  readonly to: string;
  readonly plan: string;
  readonly method?: string;
  readonly body?: string;
  readonly status: number;
  readonly tries: number;
  /** Of the answer. */
  readonly text?: string;
}

const KEPT = 'x'.repeat(65_536);
const STREAMED = 'x'.repeat(200_000);

const CASES: readonly Case[] = [
  // What Kong does, and the plugin does by default.
  ...['kong', 'plain'].flatMap((to): Case[] => [
    { to, plan: '503', status: 503, tries: 1, text: 'a 1 503' },
    { to, plan: 'reset', status: 200, tries: 2, text: 'a 2 200' },
    { to, plan: 'reset', method: 'POST', status: 502, tries: 1 },
    { to, plan: 'garbage', status: 502, tries: 1 },
    { to, plan: 'reset reset reset', status: 502, tries: 3 },
  ]),
  { to: 'kong', plan: 'half', status: 502, tries: 1 },
  { to: 'plain', plan: 'half', status: 200, tries: 2 },
  { to: 'invalid', plan: 'garbage', status: 200, tries: 2 },
  { to: 'invalid', plan: 'reset', status: 502, tries: 1 },
  { to: 'nothing', plan: 'reset', status: 502, tries: 1 },
  { to: 'refused', plan: '', status: 502, tries: 0 },
  // By status.
  { to: 'status', plan: '503', status: 200, tries: 2, text: 'a 2 200' },
  { to: 'status', plan: '503 503', status: 200, tries: 3 },
  { to: 'status', plan: '503 reset', status: 200, tries: 3 },
  { to: 'status', plan: '503 503 503', status: 503, tries: 3, text: 'a 3 503' },
  { to: 'status', plan: '503 503 reset', status: 502, tries: 3 },
  { to: 'status', plan: '503 404', status: 404, tries: 2, text: 'a 2 404' },
  { to: 'status', plan: '500', status: 500, tries: 1 },
  { to: 'status', plan: 'large', status: 200, tries: 2 },
  { to: 'status', plan: 'endless', status: 200, tries: 2 },
  { to: 'once', plan: '503 503', status: 503, tries: 2, text: 'a 2 503' },
  { to: 'never', plan: '503', status: 503, tries: 1 },
  { to: 'never', plan: 'reset', status: 502, tries: 1 },
  { to: 'poor', plan: '503', status: 503, tries: 1, text: 'a 1 503' },
  { to: 'poor', plan: 'reset', status: 502, tries: 1 },
  { to: 'status', plan: '503;2', status: 503, tries: 1, text: 'a 1 503' },
  { to: 'status', plan: '503;0', status: 200, tries: 2 },
  // By method.
  ...['HEAD', 'PUT', 'DELETE', 'OPTIONS'].map((method): Case => ({
    to: 'status',
    plan: '503',
    method,
    status: 200,
    tries: 2,
  })),
  ...['POST', 'PATCH', 'LOCK'].map((method): Case => ({
    to: 'status',
    plan: '503',
    method,
    status: 503,
    tries: 1,
  })),
  { to: 'post', plan: '503', method: 'POST', body: 'abc', status: 200, tries: 2 },
  { to: 'post', plan: 'reset', method: 'POST', body: 'abc', status: 200, tries: 2 },
  { to: 'post', plan: '503', status: 503, tries: 1 },
  { to: 'post', plan: 'reset', status: 502, tries: 1 },
  // By body.
  { to: 'status', plan: '503', method: 'PUT', body: KEPT, status: 200, tries: 2 },
  { to: 'status', plan: '503', method: 'PUT', body: STREAMED, status: 503, tries: 1, text: 'a 1 503' },
  { to: 'streamed/status', plan: '503', method: 'PUT', body: 'abc', status: 503, tries: 1, text: 'a 1 503' },
  { to: 'streamed/status', plan: '503', method: 'PUT', status: 200, tries: 2 },
  { to: 'streamed/plain', plan: 'reset', method: 'PUT', body: 'abc', status: 502, tries: 1 },
  // By time.
  { to: 'impatient', plan: 'hang', status: 200, tries: 2 },
  { to: 'impatient', plan: 'hang hang hang', status: 504, tries: 3 },
  { to: 'impatient', plan: 'hang', method: 'POST', status: 504, tries: 1 },
];

for (const [row, { to, plan, method = 'GET', body, status, tries, text }] of CASES.entries()) {
  const size = body === undefined ? '' : ` with ${body.length} octets`;
  test(`/${to}: ${method}${size}: ${plan} -> ${status} in ${tries}`, async () => {
    const lines = [`X-Case: ${row}`, `X-Plan: ${plan}`];
    const ask = { target: `/${to}`, method, lines, ...(body === undefined ? {} : { body }) };
    const response = await send(port, ask);
    assert.equal(response.status, status, response.text());
    if (text !== undefined) assert.equal(response.text(), text);
    const seen = plans.of(String(row));
    assert.equal(seen.length, tries);
    for (const each of seen) assert.deepEqual([each.method, each.body], [method, sha256(body ?? '')]);
  });
}

test('each try goes to another target, as long as there is one', async () => {
  for (let round = 0; round < 8; round++) {
    const key = `both ${round}`;
    const { status } = await send(port, { target: '/both', lines: [`X-Case: ${key}`, 'X-Plan: 503 reset'] });
    assert.equal(status, 200);
    const [first, second, third] = plans.of(key).map(({ name }) => name);
    assert.notEqual(first, second);
    assert.ok(third !== undefined);
  }
});

test('health hears of each try, and when nobody is left the last answer is the client’s', async () => {
  const lines = ['X-Case: dying', 'X-Plan: 503 503'];
  const { status, body } = await send(port, { target: '/dying', lines });
  assert.equal(status, 503);
  assert.match(body.toString(), /^[ab] 2 503$/);
  const next = await send(port, { target: '/dying' });
  assert.match(next.text(), /failure to get a peer from the ring-balancer/);
});

test('the connection of a short answer is used again, that of a long one is given up', async () => {
  await using plane = await startPlane(a.port, {
    plugins: plugin({ statuses: [503] }),
    service: { retries: 2 },
  });
  const ask = async (plan: string): Promise<void> => {
    const lines = [`X-Case: reuse ${plan}`, `X-Plan: ${plan}`];
    assert.equal((await send(plane.port, { lines })).status, 200);
  };
  const before = a.connections;
  for (const plan of ['503 200', '503 503 200', '503', '503 503']) await ask(plan);
  assert.equal(a.connections - before, 2, 'a try begins while the answer before it is read to its end');
  for (const plan of ['large', 'endless']) {
    await ask(plan);
    await plans.is(`reuse ${plan}`, 1, 'closed');
  }
});

test('a client that goes ends the wait before a try', async () => {
  await using connection = await connectRaw(port);
  const lines = ['X-Case: gone', 'X-Plan: 503 503'];
  connection.write(requestText({ target: '/slow', lines }));
  await plans.is('gone', 1, 'answered');
  connection.reset();
  const active = async (): Promise<number> => {
    const metrics = await fetch(`${gateway.statusUrl}/metrics`);
    const text = await metrics.text();
    return Number(/^kong_nginx_connections_total\{.*state="active".*\} (\d+)/m.exec(text)?.[1] ?? 0);
  };
  await waitFor(async () => (await active()) === 0, { what: 'no request to be under way' });
  assert.equal(plans.of('gone').length, 1);
});

test('Retry-After is waited for: a client hears nothing meanwhile', async () => {
  await using connection = await connectRaw(port);
  const lines = ['X-Case: later', 'X-Plan: 503;50 503'];
  connection.write(requestText({ target: '/slow', lines }));
  await plans.is('later', 1, 'answered');
  // What another request had meanwhile, this one would have had.
  await send(port, { target: '/status', lines: ['X-Case: meanwhile', 'X-Plan: 503 503'] });
  assert.equal(plans.of('later').length, 1);
  assert.equal(connection.received.length, 0);
});
