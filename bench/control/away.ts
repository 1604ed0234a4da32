/**
 * The proxied request never waits for a store: the same load with the database there, and while it is stopped and
 * somebody goes on trying to write. No request may fail, and none may take longer.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type Gateway, startGateway } from '../../test/support/gateway.ts';
import { startPostgres } from '../../test/support/postgres.ts';
import { CORES, on } from '../support/cores.ts';
import { writeRequests } from '../support/request-file.ts';
import type { Context, Report, Scenario } from '../support/scenario.ts';
import { median } from '../support/statistics.ts';
import { table } from '../support/table.ts';
import { type LoadResult, runLoad } from '../support/wrk.ts';
import { call, prepare } from './prepare.ts';

const ROUTES = 50;
/** Milliseconds of load before the database is stopped, and between two tries to write. */
const BEFORE = 300;
const PACE = 100;

interface Tries {
  /** Writes that were refused, and others. */
  refused: number;
  written: number;
}

async function tryToWrite(gateway: Gateway, stop: AbortSignal, tries: Tries): Promise<void> {
  for (let n = 0; !stop.aborted; n++) {
    await call(gateway, 'PATCH', '/services/s', { retries: 10 + (n % 100) }).then(
      () => tries.written++,
      () => tries.refused++,
    );
    await delay(PACE, undefined, { signal: stop }).catch(() => {});
  }
}

function row(name: string, results: readonly LoadResult[], writes: string): string[] {
  const sum = (of: (result: LoadResult) => number): string =>
    String(results.reduce((total, result) => total + of(result), 0));
  const middle = (of: (result: LoadResult) => number): string => median(results.map(of)).toFixed(2);
  return [
    name,
    sum(({ requests }) => requests),
    sum(({ failed }) => failed),
    middle(({ p50 }) => p50),
    middle(({ p99 }) => p99),
    writes,
  ];
}

async function run(context: Context): Promise<Report> {
  const { options, upstream, say } = context;
  await using postgres = await startPostgres({ durable: true });
  const settings = { database: 'postgres', proxy_access_log: 'off', ...(await prepare(postgres, 'sluice')) };
  await using gateway = await startGateway({ settings, wrapper: on(CORES.gateway) });
  await call(gateway, 'POST', '/services', { name: 's', host: '127.0.0.1', port: upstream.port });
  for (let n = 0; n < ROUTES; n++) {
    await call(gateway, 'POST', '/services/s/routes', { paths: [`/p${n}/`] });
  }
  const paths = Array.from({ length: ROUTES }, (_, n) => ({ method: 'GET', path: `/p${n}/json` }));
  const requests = await writeRequests(context, 'away', paths);
  const load = { port: gateway.proxyPort, requests, bodySize: 0, connections: 64, seconds: options.seconds };
  await runLoad(load);
  const rate = Math.round((await runLoad(load)).perSecond / 2);
  const [there, away]: [LoadResult[], LoadResult[]] = [[], []];
  const tries = { refused: 0, written: 0 };
  for (let round = 0; round < options.rounds; round++) {
    there.push(await runLoad({ ...load, rate }));
    const stop = new AbortController();
    const running = runLoad({ ...load, rate });
    await delay(BEFORE);
    await postgres.stop();
    const writing = tryToWrite(gateway, stop.signal, tries);
    away.push(await running);
    stop.abort();
    await writing;
    await postgres.start();
    say(`p99 ${there.at(-1)?.p99.toFixed(2)} and ${away.at(-1)?.p99.toFixed(2)} ms`);
  }
  const header = ['', 'requests', 'failed', 'p50 ms', 'p99 ms', 'writes refused'];
  const rows = [
    row('the database is there', there, '-'),
    row('it is stopped', away, `${tries.refused} of ${tries.refused + tries.written}`),
  ];
  const ratio = median(away.map(({ p99 }, n) => p99 / (there[n]?.p99 ?? Number.NaN)));
  const text = `### Database away\n\n${table(header, rows)}\n\np99 without over p99 with it: ${ratio.toFixed(2)}`;
  return { text, data: { there, away, tries, ratio } };
}

export const away: Scenario = {
  name: 'away',
  summary: 'requests while the database of the configuration is stopped',
  run,
};
