/**
 * What it costs to know who calls.
 *
 * A million consumers with a key each lie in the directory of a data plane; the load uses keys of all of them at random, so that
 * most have to be decoded anew. It is compared with the same requests on a plane without plugins in the same process, header
 * included. Then a whole gateway on Postgres: keys beside no plugin, with the database there and while it is stopped.
 *
 * `AUTH_CONSUMERS=N` for another number.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Child } from '../../test/support/child.ts';
import { startGateway } from '../../test/support/gateway.ts';
import { startPostgres } from '../../test/support/postgres.ts';
import { waitFor } from '../../test/support/wait.ts';
import { prepare } from '../control/prepare.ts';
import { basicHeader, BASIC_USERS, keyOf } from '../contenders/auth-consumers.ts';
import type { AuthPlanes } from '../contenders/auth-planes.ts';
import { compare, report, type Row } from '../support/compare.ts';
import { CORES, on, pinned } from '../support/cores.ts';
import type { PlainRequest } from '../support/rest-routes.ts';
import { writeRequests } from '../support/request-file.ts';
import type { Context, Report, Scenario } from '../support/scenario.ts';
import { median } from '../support/statistics.ts';
import { runLoad } from '../support/wrk.ts';

const CONSUMERS = Number(process.env['AUTH_CONSUMERS'] ?? 1_000_000);
/** On the gateway with a database, which takes them by its Admin API. */
const STORED = 20_000;
/** Different requests of one run: more than decoded rows are kept (16,384). */
const REQUESTS = 50_000;
const CONNECTIONS = 64;
const PROGRAM = fileURLToPath(new URL('../contenders/auth-planes.ts', import.meta.url));

function scattered(n: number, of: number): number {
  return (Math.imul(n, 0x9e3779b1) >>> 0) % of;
}

function keyed(path: string, consumers: number): PlainRequest[] {
  return Array.from({ length: REQUESTS }, (_, n) => ({
    method: 'GET',
    path,
    header: ['apikey', keyOf(scattered(n, consumers))],
  }));
}

interface Planes extends AsyncDisposable {
  readonly pid: number;
  readonly says: AuthPlanes;
}

async function startPlanes(upstreamPort: number): Promise<Planes> {
  const node = [process.execPath, '--single-threaded-gc', PROGRAM, String(upstreamPort), String(CONSUMERS)];
  const child = new Child(...pinned(CORES.gateway, node), { env: process.env });
  await waitFor(
    () => {
      if (child.exit !== null) throw new Error(`it ended: ${child.output}`);
      return child.output.includes('}\n');
    },
    { what: 'the directory', timeout: 300_000 },
  );
  const says = JSON.parse(child.output.slice(child.output.indexOf('{'))) as AuthPlanes;
  return {
    pid: child.pid,
    says,
    [Symbol.asyncDispose]: async () => void (await child.stop('SIGTERM')),
  };
}

/** Milliseconds of a request whose password nobody has verified yet, one after the other. */
async function firstPasswords(port: number): Promise<number[]> {
  const times: number[] = [];
  for (let n = 0; n < BASIC_USERS; n++) {
    const begun = performance.now();
    const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { authorization: basicHeader(n) } });
    await response.arrayBuffer();
    if (response.status !== 200) throw new Error(`basic-auth answered ${response.status}`);
    times.push(performance.now() - begun);
  }
  return times;
}

function p95(row: Row | undefined): number {
  return median((row?.latencies ?? []).map((result) => result.p95));
}

async function planes(context: Context): Promise<Report> {
  const { options, upstream, say } = context;
  say(`writing ${CONSUMERS.toLocaleString('en')} consumers`);
  await using running = await startPlanes(upstream.port);
  const { ports, loadMs, bytes } = running.says;
  const first = await firstPasswords(ports.basic);
  const basic = Array.from({ length: BASIC_USERS }, (_, n): PlainRequest => ({
    method: 'GET',
    path: '/json',
    header: ['Authorization', basicHeader(n)],
  }));
  const keys = await writeRequests(context, 'keys', keyed('/json', CONSUMERS));
  const few = await writeRequests(context, 'few', keyed('/json', CONSUMERS).slice(0, 1000));
  const passwords = await writeRequests(context, 'passwords', basic);
  const subject = (name: string, port: number, requests: string): Parameters<typeof compare>[0][number] => ({
    name,
    running: { port, pid: running.pid, [Symbol.asyncDispose]: () => Promise.resolve() },
    load: { requests, bodySize: 0, connections: CONNECTIONS },
  });
  const subjects = [
    subject('no plugin', ports.none, keys),
    subject('key-auth, any of all', ports.key, keys),
    subject('key-auth, of 1,000', ports.key, few),
    subject('basic-auth, verified before', ports.basic, passwords),
  ];
  const rows = await compare(subjects, options, say);
  const [base, all, hot, cached] = rows;
  const over = (row: Row | undefined): string =>
    median((row?.turns ?? []).map(({ cpu }, round) => cpu - (base?.turns[round]?.cpu ?? Number.NaN))).toFixed(
      2,
    );
  const notes = [
    `key-auth over no plugin: ${over(all)} µs a request (any of all), ${over(hot)} µs (of 1,000)`,
    `basic-auth over no plugin: ${over(cached)} µs once verified; the first request with a password takes ` +
      `${median(first).toFixed(1)} ms, in another thread`,
    `p95 with a key over that without: ${(p95(all) / p95(base)).toFixed(2)} ` +
      `(${p95(all).toFixed(2)} and ${p95(base).toFixed(2)} ms)`,
    `octets for each consumer and key on the node: ${bytes.toFixed(0)}; written in ${(loadMs / 1000).toFixed(1)} s`,
    '',
  ];
  return report(`${CONSUMERS.toLocaleString('en')} consumers with a key`, rows, notes);
}

function* lines(upstreamPort: number): Generator<string> {
  const line = (kind: string, entity: object): string =>
    `${JSON.stringify({ op: 'create', kind, entity })}\n`;
  yield line('services', { name: 's', host: '127.0.0.1', port: upstreamPort });
  for (const name of ['open', 'key']) {
    yield line('routes', { name, paths: [`/${name}`], service: { name: 's' } });
  }
  yield line('plugins', { name: 'key-auth', route: { name: 'key' } });
  for (let n = 0; n < STORED; n++) {
    yield line('consumers', { username: `customer-${n}` });
    yield line('keyauth_credentials', { key: keyOf(n), consumer: { username: `customer-${n}` } });
  }
}

async function database(context: Context): Promise<Report> {
  const { options, upstream, say } = context;
  await using postgres = await startPostgres({ durable: true });
  const settings = { database: 'postgres', proxy_access_log: 'off', ...(await prepare(postgres, 'sluice')) };
  await using gateway = await startGateway({ settings, wrapper: on(CORES.gateway) });
  const response = await fetch(`${gateway.adminUrl}/transactions`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: [...lines(upstream.port)].join(''),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`POST /transactions: ${response.status} ${text.slice(0, 300)}`);
  const load = { port: gateway.proxyPort, bodySize: 0, connections: CONNECTIONS, seconds: options.seconds };
  const open = { ...load, requests: await writeRequests(context, 'open', keyed('/open/json', STORED)) };
  const key = { ...load, requests: await writeRequests(context, 'key', keyed('/key/json', STORED)) };
  for (const one of [open, key, open, key]) await runLoad(one);
  const rate = Math.round((await runLoad(key)).perSecond / 2);
  const ratios: { there: number[]; away: number[] } = { there: [], away: [] };
  let failed = 0;
  for (let round = 0; round < options.rounds; round++) {
    for (const state of ['there', 'away'] as const) {
      if (state === 'away') await postgres.stop();
      const [without, withKey] = [await runLoad({ ...open, rate }), await runLoad({ ...key, rate })];
      ratios[state].push(withKey.p95 / without.p95);
      failed += without.failed + withKey.failed;
      say(
        `database ${state}: p95 ${without.p95.toFixed(2)} without and ${withKey.p95.toFixed(2)} ms with a key`,
      );
    }
    await postgres.start();
    await delay(500);
  }
  const shown = (list: readonly number[]): string =>
    `${median(list).toFixed(2)} (by round: ${list.map((one) => one.toFixed(2)).join(' ')})`;
  const body = [
    `### ${STORED.toLocaleString('en')} consumers on Postgres, ${rate} requests/s`,
    '',
    `p95 with a key over that without, the database there: ${shown(ratios.there)}`,
    `p95 with a key over that without, the database stopped: ${shown(ratios.away)}`,
    `requests that failed: ${failed}`,
  ];
  return { text: body.join('\n'), data: { ratios, failed, rate } };
}

export const auth: Scenario = {
  name: 'auth',
  summary: 'key-auth with 1,000,000 consumers, also with the database stopped; basic-auth',
  run: async (context) => {
    const [memory, store] = [await planes(context), await database(context)];
    return { text: `${memory.text}\n\n${store.text}`, data: [memory.data, store.data] };
  },
};
