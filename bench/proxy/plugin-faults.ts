/**
 * Users' plugins that fail: what one that crashes, and one that blocks its worker, do to everybody else.
 *
 * Requests go at a steady rate over connections of which each belongs to one worker; a header says to which. So the p99 of
 * the workers that are not blocked stands apart from that of the one that is.
 */
import { Agent, get } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { configWith, gatewayWith, pluginFolder } from '../../test/user-plugins/support/folder.ts';
import { moveAway } from '../support/cores.ts';
import type { Context, Scenario } from '../support/scenario.ts';
import { median, quantile } from '../support/statistics.ts';
import { table } from '../support/table.ts';

const WORKERS = 2;
const CONNECTIONS = 32;
/** Milliseconds between two requests of a connection. */
const PAUSE = 20;
/** Milliseconds that the blocking plugin holds its worker: less than `plugin_block_limit`, which would end it. */
const BLOCK = 1000;

const HEAD = `import { definePlugin } from 'sluice/plugin';
export default definePlugin({ priority: 10, config: {}, `;
const FILES = {
  'worker.ts': `${HEAD} name: 'worker', create(config, gateway) {
    return { headerFilter({ response }) { response.headers.set('X-Worker', String(gateway.node.workerId)); } };
  } });`,
  'crash.ts': `${HEAD} name: 'crash', create() { return { access() { throw new Error('as it does each time'); } }; } });`,
  'block.ts': `${HEAD} name: 'block', create() {
    return { access() { for (const end = Date.now() + ${BLOCK}; Date.now() < end;); } };
  } });`,
};

interface Answer {
  readonly status: number;
  /** -1: it does not say. */
  readonly worker: number;
  readonly ms: number;
}

function ask(url: string, agent: Agent): Promise<Answer> {
  const begun = performance.now();
  return new Promise((resolve) => {
    const done = (status: number, worker: number): void =>
      resolve({ status, worker, ms: performance.now() - begun });
    get(url, { agent }, (response) => {
      response
        .resume()
        .on('end', () => done(response.statusCode ?? 0, Number(response.headers['x-worker'] ?? -1)));
    }).on('error', () => done(0, -1));
  });
}

/** Asks again and again on one connection until the time is over. */
async function connection(url: string, until: number): Promise<Answer[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const answers: Answer[] = [];
  for (let next = performance.now() + Math.random() * PAUSE; next < until; next += PAUSE) {
    await delay(Math.max(0, next - performance.now()));
    answers.push(await ask(url, agent));
  }
  agent.destroy();
  return answers;
}

/** By worker; what failed is in none. */
async function load(url: string, seconds: number): Promise<{ byWorker: number[][]; failed: number }> {
  const until = performance.now() + seconds * 1000;
  const all = await Promise.all(Array.from({ length: CONNECTIONS }, () => connection(url, until)));
  const byWorker: number[][] = Array.from({ length: WORKERS }, () => []);
  let failed = 0;
  for (const { status, worker, ms } of all.flat()) {
    if (status === 200) byWorker[worker]?.push(ms);
    else failed++;
  }
  return { byWorker, failed };
}

const p99 = (times: readonly number[]): number => quantile(times, 0.99);

interface Round {
  /** p99 in milliseconds of everybody's requests, with nothing wrong and beside the plugin that crashes. */
  readonly quiet: number;
  readonly crashing: number;
  /** p99 of the worker that is not blocked, and the longest wait of the one that is. */
  readonly beside: number;
  readonly stalled: number;
  readonly failed: number;
}

async function round(url: string, seconds: number): Promise<Round> {
  const good = `${url}/good`;
  const quiet = await load(good, seconds);
  const stop = performance.now() + seconds * 1000;
  const [crashing, errors] = await Promise.all([load(good, seconds), connection(`${url}/crash`, stop)]);
  if (errors.some(({ status }) => status !== 500)) throw new Error('the crashing plugin did not answer 500');
  const [blocking] = await Promise.all([load(good, seconds), blockTwice(url, seconds)]);
  // Both may have been hit, in turn: the one that waited longer counts as blocked.
  const [one = [], other = []] = blocking.byWorker.toSorted((a, b) => Math.max(...a) - Math.max(...b));
  return {
    quiet: p99(quiet.byWorker.flat()),
    crashing: p99(crashing.byWorker.flat()),
    beside: p99(one),
    stalled: Math.max(...other),
    failed: quiet.failed + crashing.failed + blocking.failed,
  };
}

/** On one connection, so that both hit the same worker. */
async function blockTwice(url: string, seconds: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  for (let turn = 0; turn < 2; turn++) {
    await delay((seconds * 1000) / 4);
    await ask(`${url}/block`, agent);
  }
  agent.destroy();
}

async function run({ options, upstream, say }: Context) {
  moveAway();
  await using folder = await pluginFolder(FILES);
  const tell = [{ name: 'worker' }];
  const config = configWith(upstream.port, {
    '/good': tell,
    '/crash': [{ name: 'crash' }],
    '/block': [{ name: 'block' }],
  });
  await using gateway = await gatewayWith(folder, config, {
    nginx_worker_processes: WORKERS,
    proxy_access_log: 'off',
  });
  await load(`${gateway.url}/good`, 2);
  const rounds: Round[] = [];
  for (let turn = 0; turn < options.rounds; turn++) {
    const figures = await round(gateway.url, Math.max(4, options.seconds));
    rounds.push(figures);
    say(JSON.stringify(figures));
  }
  return rounds;
}

export const pluginFaults: Scenario = {
  name: 'plugin-faults',
  summary: "users' plugins that crash or block their worker, and everybody else's p99",
  run: async (context) => {
    const rounds = await run(context);
    const of = (pick: (round: Round) => number): string => median(rounds.map(pick)).toFixed(2);
    const rows = [
      ['nothing wrong: p99', of(({ quiet }) => quiet), '1.00'],
      ['a plugin crashes: p99', of(({ crashing }) => crashing), of((one) => one.crashing / one.quiet)],
      [
        'a plugin blocks: p99 of the other worker',
        of(({ beside }) => beside),
        of((one) => one.beside / one.quiet),
      ],
      ['a plugin blocks: longest wait in its worker', of(({ stalled }) => stalled), ''],
    ];
    const failed = rounds.reduce((sum, one) => sum + one.failed, 0);
    return {
      text: [
        `### Users' plugins that fail, ${WORKERS} workers, ${(CONNECTIONS * 1000) / PAUSE} requests/s\n`,
        table(['', 'ms', 'to nothing wrong'], rows),
        `\nrequests of others that failed: ${failed}`,
      ].join('\n'),
      data: { rounds },
    };
  },
};
