/**
 * Two gateways on one Postgres: how long after a write is sent to one of them does the other serve it? Directly, where
 * `LISTEN` tells of it; behind PgBouncer in transaction mode, where nothing does and the head is asked for every 0.2 s;
 * and behind it with `pg_listen_host`. Each write makes a route, and the other node is asked for it until it answers.
 */
import { Agent, get } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { type Gateway, startGateway } from '../../test/support/gateway.ts';
import { startPgBouncer } from '../../test/support/pgbouncer.ts';
import { startPostgres } from '../../test/support/postgres.ts';
import { on, CORES } from '../support/cores.ts';
import type { Context, Report, Scenario } from '../support/scenario.ts';
import { median, quantile } from '../support/statistics.ts';
import { table } from '../support/table.ts';
import { call, prepare, type Settings } from './prepare.ts';

/** Writes for each round of the options. */
const WRITES = 10;
/** Milliseconds until a node knows that notifications do not come through a pooler. */
const LEARN = 5000;
/** A wait of another length before each write: no two fall on the same place between two polls. */
const APART = 200;
/** Milliseconds between two looks at the other node. */
const LOOK = 2;

interface Times {
  /** Milliseconds until the node that was asked has answered. */
  readonly answered: number;
  /** Until the other node serves it. */
  readonly live: number;
}

async function status(agent: Agent, url: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  get(url, { agent }, (response) => {
    response.resume().on('end', () => resolve(response.statusCode ?? 0));
  }).on('error', reject);
  return await promise;
}

async function write(one: Gateway, two: Gateway, agent: Agent, n: number): Promise<Times> {
  const begun = performance.now();
  let answered = Number.NaN;
  const writing = call(one, 'POST', '/services/s/routes', { paths: [`/n${n}/`] }).then(() => {
    answered = performance.now() - begun;
  });
  while ((await status(agent, `${two.url}/n${n}/json`)) !== 200) await delay(LOOK);
  const live = performance.now() - begun;
  await writing;
  return { answered, live };
}

async function measure(context: Context, name: string, settings: Settings): Promise<readonly Times[]> {
  const { options, upstream, say } = context;
  const start = (): Promise<Gateway> =>
    startGateway({ settings: { database: 'postgres', ...settings }, wrapper: on(CORES.all) });
  await using one = await start();
  await using two = await start();
  await call(one, 'POST', '/services', { name: 's', host: '127.0.0.1', port: upstream.port });
  await delay(LEARN);
  const agent = new Agent({ keepAlive: true });
  const times: Times[] = [];
  try {
    for (let n = 0; n < options.rounds * WRITES; n++) {
      await delay(Math.random() * APART);
      times.push(await write(one, two, agent, n));
    }
  } finally {
    agent.destroy();
  }
  say(`${name}: live on the other node after ${median(times.map(({ live }) => live)).toFixed(0)} ms`);
  return times;
}

function row(name: string, times: readonly Times[]): string[] {
  const figures = (values: readonly number[]): string[] => [
    median(values).toFixed(0),
    quantile(values, 0.95).toFixed(0),
  ];
  const [answered, live] = [times.map((each) => each.answered), times.map((each) => each.live)];
  return [name, String(times.length), ...figures(answered), ...figures(live)];
}

export const nodes: Scenario = {
  name: 'nodes',
  summary: 'a write on one node until another node of the same Postgres serves it',
  run: async (context): Promise<Report> => {
    await using postgres = await startPostgres({ durable: true });
    await using bouncer = await startPgBouncer(postgres, 10);
    const direct = await prepare(postgres, 'direct');
    const polled = { ...(await prepare(postgres, 'polled')), pg_port: bouncer.port };
    const listening = {
      ...(await prepare(postgres, 'listening')),
      pg_port: bouncer.port,
      pg_listen_host: '127.0.0.1',
      pg_listen_port: postgres.port,
    };
    const data: Record<string, readonly Times[]> = {};
    for (const [name, settings] of [
      ['Postgres itself', direct],
      ['PgBouncer, asked every 0.2 s', polled],
      ['PgBouncer and pg_listen_host', listening],
    ] as const) {
      data[name] = await measure(context, name, settings);
    }
    const header = ['', 'writes', 'answered ms', 'p95', 'live on the other node ms', 'p95'];
    const rows = Object.entries(data).map(([name, times]) => row(name, times));
    return { text: `### Nodes\n\n${table(header, rows)}`, data };
  },
};
