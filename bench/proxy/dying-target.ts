/**
 * A target of three dies under load, by refusing or by hanging: what clients see of it without health checks, with passive
 * ones, and with retries besides; and how many requests it gets when it has been found unhealthy.
 *
 * wrk counts all errors that there were. A target that is dead cannot count who asks for it: so it is brought back as soon
 * as it is out, and whatever comes then is too much. A hanging one counts all the time.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type Gateway, startGateway } from '../../test/support/gateway.ts';
import { type Manner, Target } from '../../test/health/support/target.ts';
import { healthOf } from '../../test/health/support/health.ts';
import { CORES, on } from '../support/cores.ts';
import { writeRequests } from '../support/request-file.ts';
import type { Context, Scenario } from '../support/scenario.ts';
import { median } from '../support/statistics.ts';
import { table } from '../support/table.ts';
import { startBenchUpstream } from '../support/upstream.ts';
import { runLoad } from '../support/wrk.ts';

const RATE = 5000;
/** What is on its way when a target is found unhealthy has arrived by then. */
const SETTLED_MS = 200;
/** Short, as for small answers: who hangs is found by it. */
const READ_MS = 500;

interface Death {
  readonly how: 'refuse' | 'hang';
  readonly checks: boolean;
  readonly retries: number;
}

interface Seen {
  readonly errors: number;
  readonly perSecond: number;
  /** Milliseconds from its death until it was out; null without checks. */
  readonly foundMs: number | null;
  /** Requests that came to it afterwards. */
  readonly late: number | null;
  readonly p99: number;
}

const DEATHS: readonly Death[] = (['refuse', 'hang'] as const).flatMap((how) => [
  { how, checks: false, retries: 0 },
  { how, checks: true, retries: 0 },
  { how, checks: true, retries: 5 },
]);

async function start(ports: readonly number[], { checks, retries }: Death): Promise<Gateway> {
  const passive = { unhealthy: { tcp_failures: 2, timeouts: 2 } };
  return startGateway({
    config: {
      _format_version: '3.0',
      upstreams: [
        {
          name: 'u',
          ...(checks ? { healthchecks: { passive } } : {}),
          targets: ports.map((port) => ({ target: `127.0.0.1:${port}` })),
        },
      ],
      services: [{ name: 's', host: 'u', retries, read_timeout: READ_MS, routes: [{ paths: ['/'] }] }],
    },
    wrapper: on(CORES.gateway),
    settings: { nginx_worker_processes: 2, proxy_access_log: 'off' },
  });
}

/** Milliseconds until the gateway has found out. */
async function found(gateway: Gateway, { at }: Target): Promise<number> {
  const begun = performance.now();
  while ((await healthOf(gateway, 'u'))[at] !== 'UNHEALTHY') await delay(2);
  return performance.now() - begun;
}

async function death(context: Context, kind: Death): Promise<Seen> {
  await using one = await startBenchUpstream();
  await using two = await startBenchUpstream();
  await using dying = await Target.start();
  await using gateway = await start([one.port, two.port, dying.port], kind);
  const requests = await writeRequests(context, 'dying', [{ method: 'GET', path: '/' }]);
  const seconds = context.options.seconds + 2;
  const load = { port: gateway.proxyPort, requests, bodySize: 0, connections: 0, seconds, rate: RATE };
  const running = runLoad(load);
  await delay((seconds * 1000) / 2);
  const manner: Manner = kind.how;
  await dying.behave(manner);
  const foundMs = kind.checks ? await found(gateway, dying) : null;
  await delay(SETTLED_MS);
  const before = dying.lines.length;
  if (kind.checks) await dying.behave(200);
  const { failed, perSecond, p99 } = await running;
  const late = kind.checks ? dying.lines.length - before : null;
  return { errors: failed, perSecond, foundMs, late, p99 };
}

function rowOf({ how, checks, retries }: Death, seen: readonly Seen[]): string[] {
  const of = (value: (one: Seen) => number | null): string => {
    const values = seen.map(value).filter((one) => one !== null);
    return values.length === 0 ? '' : median(values).toFixed(0);
  };
  return [
    `${how === 'hang' ? `hangs (read_timeout ${READ_MS} ms)` : 'refuses'}, ${checks ? 'passive checks' : 'no checks'}`,
    String(retries),
    of(({ perSecond }) => perSecond),
    of(({ errors }) => errors),
    String(Math.max(...seen.map(({ errors }) => errors))),
    of(({ foundMs }) => foundMs),
    checks ? String(Math.max(...seen.map(({ late }) => late ?? 0))) : '',
    of(({ p99 }) => p99),
  ];
}

export const dyingTarget: Scenario = {
  name: 'dying-target',
  summary: 'a target of three refuses or hangs at 5,000 requests/s: errors, and requests that it gets then',
  run: async (context) => {
    const seen = DEATHS.map((): Seen[] => []);
    for (let round = 0; round < context.options.rounds; round++) {
      for (const [index, kind] of DEATHS.entries()) {
        const one = await death(context, kind);
        seen[index]?.push(one);
        context.say(`${JSON.stringify(kind)}: ${JSON.stringify(one)}`);
      }
    }
    const header = [
      'a target of three',
      'retries',
      'requests/s',
      'errors',
      'most',
      'found ms',
      'late',
      'p99 ms',
    ];
    const rows = DEATHS.map((kind, index) => rowOf(kind, seen[index] ?? []));
    const text = `### A target that dies under load\n\n${table(header, rows)}\n\nMedians of ${context.options.rounds} rounds; "most" and "late" (requests that it got when it was out) are the largest.`;
    return { text, data: { deaths: DEATHS, seen } };
  },
};
