/**
 * An upstream of a thousand targets under load, of which many come and go every second: no request may fail, and the p99 is
 * compared with that of the quiet turns between. Two ways: a whole configuration every second in which all thousand
 * targets are others, and single changes through the Admin API of a store, as many as are asked for.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type Gateway, startGateway } from '../../test/support/gateway.ts';
import { startNginx } from '../../test/support/nginx.ts';
import { CORES, on } from '../support/cores.ts';
import { writeRequests } from '../support/request-file.ts';
import type { Context, Scenario } from '../support/scenario.ts';
import { median } from '../support/statistics.ts';
import { table } from '../support/table.ts';
import { type LoadResult, runLoad } from '../support/wrk.ts';

const TARGETS = 1000;
const RATE = 1500;
/** Single changes: so many targets come every second, and as many go. */
const SINGLE = 50;

interface Way {
  readonly name: string;
  readonly settings: Readonly<Record<string, string>>;
  fill(gateway: Gateway): Promise<void>;
  /** One second's changes. @returns how many targets came or went. */
  change(gateway: Gateway, second: number): Promise<number>;
}

const addressOf = (set: number, n: number): string => `127.${set + 1}.${n >> 8}.${n & 255}`;

function configOf(port: number, set: number): Readonly<Record<string, unknown>> {
  const targets = Array.from({ length: TARGETS }, (_, n) => ({ target: `${addressOf(set, n)}:${port}` }));
  return {
    _format_version: '3.0',
    upstreams: [{ name: 'u', targets }],
    services: [{ name: 's', host: 'u', retries: 0, routes: [{ paths: ['/'] }] }],
  };
}

async function post(gateway: Gateway, config: Readonly<Record<string, unknown>>): Promise<void> {
  const { status, body } = await gateway.postConfig(config);
  if (status >= 300) throw new Error(`POST /config: ${status} ${JSON.stringify(body).slice(0, 300)}`);
}

async function write(gateway: Gateway, method: string, path: string, body?: object): Promise<void> {
  const init = { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const response = await fetch(gateway.adminUrl + path, { method, ...(body === undefined ? {} : init) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text.slice(0, 300)}`);
}

function waysOf(port: number): readonly Way[] {
  const target = (set: number, n: number): string => `${addressOf(set, n)}:${port}`;
  return [
    {
      name: `${TARGETS} targets replaced by others, by POST /config`,
      settings: {},
      fill: (gateway) => post(gateway, configOf(port, 0)),
      async change(gateway, second) {
        await post(gateway, configOf(port, (second + 1) % 2));
        return 2 * TARGETS;
      },
    },
    {
      name: `${SINGLE} of ${TARGETS} targets go and ${SINGLE} come, by the Admin API`,
      settings: { database: 'sqlite' },
      async fill(gateway) {
        await write(gateway, 'PUT', '/upstreams/u', {});
        for (let n = 0; n < TARGETS; n++)
          await write(gateway, 'POST', '/upstreams/u/targets', { target: target(0, n) });
        await write(gateway, 'PUT', '/services/s', { host: 'u', retries: 0 });
        await write(gateway, 'PUT', '/routes/r', { service: { name: 's' }, paths: ['/'] });
      },
      async change(gateway, second) {
        const set = Math.floor((second * SINGLE) / TARGETS);
        for (let i = 0; i < SINGLE; i++) {
          const n = (second * SINGLE + i) % TARGETS;
          await write(gateway, 'POST', '/upstreams/u/targets', { target: target((set + 1) % 2, n) });
          await write(gateway, 'DELETE', `/upstreams/u/targets/${target(set % 2, n)}`);
        }
        return 2 * SINGLE;
      },
    },
  ];
}

interface Churned {
  readonly way: string;
  readonly quiet: LoadResult[];
  readonly during: LoadResult[];
  /** Changes a second, of each round. */
  readonly changes: number[];
}

async function churn(context: Context, way: Way): Promise<Churned> {
  const { options, say } = context;
  await using gateway = await startGateway({
    wrapper: on(CORES.gateway),
    settings: { nginx_worker_processes: 1, proxy_access_log: 'off', ...way.settings },
  });
  await way.fill(gateway);
  const requests = await writeRequests(context, 'churn', [{ method: 'GET', path: '/' }]);
  const load = { port: gateway.proxyPort, requests, bodySize: 0, connections: 0, rate: RATE } as const;
  const result: Churned = { way: way.name, quiet: [], during: [], changes: [] };
  await runLoad({ ...load, seconds: 2 });
  let second = 0;
  for (let round = 0; round < options.rounds; round++) {
    result.quiet.push(await runLoad({ ...load, seconds: options.seconds }));
    const running = runLoad({ ...load, seconds: options.seconds });
    const begun = performance.now();
    let changes = 0;
    let over = false;
    const ended = running.finally(() => (over = true));
    while (!over) {
      const next = performance.now() + 1000;
      changes += await way.change(gateway, second++);
      await Promise.race([ended, delay(Math.max(0, next - performance.now()))]);
    }
    result.during.push(await running);
    result.changes.push((changes * 1000) / (performance.now() - begun));
    const [quiet, during] = [result.quiet.at(-1), result.during.at(-1)];
    say(
      `${way.name}: p99 ${quiet?.p99.toFixed(2)} and ${during?.p99.toFixed(2)} ms, ${during?.failed} failed`,
    );
  }
  return result;
}

export const targetChurn: Scenario = {
  name: 'target-churn',
  summary: '1,000 targets of an upstream come and go every second under load',
  run: async (context) => {
    await using nginx = await startNginx({
      wrapper: on(CORES.upstream),
      http: `access_log off; keepalive_requests 1000000;
        server { listen 0.0.0.0:%PORT% backlog=4096; location / { return 200 'ok'; } }`,
    });
    const results: Churned[] = [];
    for (const way of waysOf(nginx.port)) results.push(await churn(context, way));
    const rows = results.map(({ way, quiet, during, changes }) => [
      way,
      median(changes).toFixed(0),
      median(during.map(({ perSecond }) => perSecond)).toFixed(0),
      median(quiet.map(({ p99 }) => p99)).toFixed(2),
      median(during.map(({ p99 }) => p99)).toFixed(2),
      median(during.map(({ p99 }, round) => p99 / (quiet[round]?.p99 ?? Number.NaN))).toFixed(2),
      String([...quiet, ...during].reduce((sum, { failed }) => sum + failed, 0)),
    ]);
    const header = ['every second', 'changes/s', 'requests/s', 'quiet p99 ms', 'p99 ms', 'ratio', 'failed'];
    return { text: `### Targets that come and go\n\n${table(header, rows)}`, data: results };
  },
};
