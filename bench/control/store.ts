/**
 * The control plane with a large configuration: 10,000 services and routes, 100,000 consumers with a key, on SQLite and
 * on Postgres. How long a transaction from empty takes, and health probes and requests meanwhile; a start, one change
 * until all workers serve it; what ten changes a second do to the requests; and, on Postgres, what stopping the database
 * does to them.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type Gateway, sluice, startGateway } from '../../test/support/gateway.ts';
import { type Postgres, startPostgres } from '../../test/support/postgres.ts';
import { CORES, on } from '../support/cores.ts';
import { residentMemory } from '../support/proc.ts';
import { writeRequests } from '../support/request-file.ts';
import type { Context, Report, Scenario } from '../support/scenario.ts';
import { median, quantile } from '../support/statistics.ts';
import { table } from '../support/table.ts';
import { type LoadResult, runLoad } from '../support/wrk.ts';
import { type Size, transactionBody } from './entities.ts';
import { type Probed, probing } from './probe.ts';

const SIZE: Size = { services: 10_000, consumers: 100_000 };
const ENTITIES = 2 * (SIZE.services + SIZE.consumers);
/** Single changes, one after the other. */
const CHANGES = 50;
/** Milliseconds between two changes under load. */
const PACE = 100;
/** Milliseconds after which memory is looked at. */
const SETTLE = 3000;
const MIB = 1 << 20;

type Settings = Readonly<Record<string, string | number>>;

interface Figures {
  readonly syncMs: number;
  /** Meanwhile: `/status/ready`, and a request without a route, which a worker answers by itself. */
  readonly probes: readonly Probed[];
  readonly startMs: number;
  readonly changeMs: readonly number[];
  readonly emptyBytes: number;
  readonly fullBytes: number;
  readonly startedBytes: number;
  readonly without: readonly LoadResult[];
  readonly during: readonly LoadResult[];
  readonly changesUnderLoad: number;
  /** Requests while the database is stopped; null where there is none to stop. */
  readonly away: LoadResult | null;
}

async function patch(gateway: Gateway, n: number, retries: number): Promise<number> {
  const begun = performance.now();
  const response = await fetch(`${gateway.adminUrl}/services/service-${n}`, {
    method: 'PATCH',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ retries }),
  });
  const text = await response.text();
  if (!response.ok || response.headers.has('warning')) {
    throw new Error(`PATCH: ${response.status} ${response.headers.get('warning') ?? ''} ${text}`);
  }
  return performance.now() - begun;
}

async function sync(gateway: Gateway, upstreamPort: number): Promise<number> {
  const body = transactionBody(SIZE, upstreamPort);
  const begun = performance.now();
  const response = await fetch(`${gateway.adminUrl}/transactions`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body,
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`POST /transactions: ${response.status} ${text.slice(0, 500)}`);
  return performance.now() - begun;
}

async function changesUntil(stop: AbortSignal, gateway: Gateway): Promise<number> {
  let count = 0;
  while (!stop.aborted) {
    await patch(gateway, count % SIZE.services, 10 + (count % 100));
    count++;
    await delay(PACE, undefined, { signal: stop }).catch(() => {});
  }
  return count;
}

async function underLoad(
  context: Context,
  gateway: Gateway,
  postgres: Postgres | null,
): Promise<Pick<Figures, 'without' | 'during' | 'changesUnderLoad' | 'away'>> {
  const { options, say } = context;
  const paths = Array.from({ length: SIZE.services }, (_, n) => ({ method: 'GET', path: `/p${n}/json` }));
  const requests = await writeRequests(context, 'store', paths);
  const load = { port: gateway.proxyPort, requests, bodySize: 0, connections: 64, seconds: options.seconds };
  await runLoad(load);
  const rate = Math.round((await runLoad(load)).perSecond / 2);
  const without: LoadResult[] = [];
  const during: LoadResult[] = [];
  let changesUnderLoad = 0;
  for (let round = 0; round < options.rounds; round++) {
    without.push(await runLoad({ ...load, rate }));
    const stop = new AbortController();
    const changing = changesUntil(stop.signal, gateway);
    during.push(await runLoad({ ...load, rate }));
    stop.abort();
    changesUnderLoad += await changing;
    say(`p99 ${without.at(-1)?.p99.toFixed(2)} and ${during.at(-1)?.p99.toFixed(2)} ms`);
  }
  if (postgres === null) return { without, during, changesUnderLoad, away: null };
  const running = runLoad({ ...load, rate });
  await delay(500);
  await postgres.stop();
  const away = await running;
  await postgres.start();
  return { without, during, changesUnderLoad, away };
}

async function measure(context: Context, settings: Settings, postgres: Postgres | null): Promise<Figures> {
  const { upstream, say } = context;
  const all = { nginx_worker_processes: 2, proxy_access_log: 'off', ...settings };
  const start = (prefix?: string): Promise<Gateway> =>
    startGateway({
      settings: prefix === undefined ? all : { ...all, prefix },
      wrapper: on(CORES.all),
      timeout: 60_000,
    });
  await using gateway = await start();
  await delay(SETTLE);
  const emptyBytes = residentMemory(gateway.pid);
  const urls = [`${gateway.statusUrl}/status/ready`, `${gateway.url}/none`];
  const [syncMs, probes] = await probing(urls, () => sync(gateway, upstream.port));
  say(`${ENTITIES} entities in ${(syncMs / 1000).toFixed(1)} s`);
  const changeMs: number[] = [];
  for (let n = 0; n < CHANGES; n++) changeMs.push(await patch(gateway, n, 7));
  say(`a change: ${median(changeMs).toFixed(1)} ms`);
  await delay(SETTLE);
  const fullBytes = residentMemory(gateway.pid);
  await gateway.stop('SIGTERM');
  const begun = performance.now();
  await using again = await start(gateway.prefix);
  const startMs = performance.now() - begun;
  say(`start: ${startMs.toFixed(0)} ms`);
  await delay(SETTLE);
  const startedBytes = residentMemory(again.pid);
  const loaded = await underLoad(context, again, postgres);
  return { syncMs, probes, startMs, changeMs, emptyBytes, fullBytes, startedBytes, ...loaded };
}

function row(name: string, figures: Figures): string[] {
  const ratio = median(figures.during.map(({ p99 }, n) => p99 / (figures.without[n]?.p99 ?? Number.NaN)));
  const failed = [...figures.without, ...figures.during].reduce((sum, one) => sum + one.failed, 0);
  const perEntity = (figures.startedBytes - figures.emptyBytes) / ENTITIES;
  const { away } = figures;
  return [
    name,
    (figures.syncMs / 1000).toFixed(1),
    figures.probes.map(shown).join('; '),
    (figures.startMs / 1000).toFixed(2),
    `${median(figures.changeMs).toFixed(1)} (p95 ${quantile(figures.changeMs, 0.95).toFixed(1)})`,
    `${failed}, ${ratio.toFixed(2)}`,
    `${(figures.emptyBytes / MIB).toFixed(0)} → ${(figures.startedBytes / MIB).toFixed(0)} (after sync ${(figures.fullBytes / MIB).toFixed(0)}), ${perEntity.toFixed(0)} B each`,
    away === null ? '-' : `${away.failed} of ${away.requests}, p99 ${away.p99.toFixed(2)} ms`,
  ];
}

function shown({ failed, p99, worst }: Probed): string {
  return `p99 ${p99.toFixed(1)}, worst ${worst.toFixed(0)}, ${failed} failed`;
}

async function onPostgres(context: Context): Promise<Figures> {
  await using postgres = await startPostgres({ durable: true });
  const settings = {
    database: 'postgres',
    pg_host: '127.0.0.1',
    pg_port: postgres.port,
    pg_user: 'kong',
    pg_password: 'secret',
    pg_database: 'kong',
  };
  const env = Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [`SLUICE_${name.toUpperCase()}`, String(value)]),
  );
  const { code, stderr } = await sluice(['migrations', 'bootstrap'], env);
  if (code !== 0) throw new Error(stderr);
  return await measure(context, settings, postgres);
}

export const store: Scenario = {
  name: 'store',
  summary: '10,000 services and routes, 100,000 consumers with keys on SQLite and Postgres',
  run: async (context): Promise<Report> => {
    context.say('SQLite');
    const sqlite = await measure(context, { database: 'sqlite' }, null);
    context.say('Postgres');
    const postgres = await onPostgres(context);
    const header = [
      `${ENTITIES} entities`,
      'sync s',
      'meanwhile ms: /status/ready; a worker',
      'start s',
      'one change live ms',
      'failed, p99 ratio at 10 changes/s',
      'memory MiB',
      'failed while the database is away',
    ];
    return {
      text: `### Store\n\n${table(header, [row('sqlite', sqlite), row('postgres', postgres)])}`,
      data: { sqlite, postgres },
    };
  },
};
