/**
 * Health checks: what a thousand probes a second cost, and what clients see of a target that dies.
 *
 * The probes' cost is the gateway's CPU time with the checks less that without, without any request; each target is an
 * upstream of its own, which is the dearest form. For the death, wrk holds a rate on three targets, one of which is
 * killed; the errors that it counted are all there were.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { startGateway, type Gateway, type KongConfig } from '../../test/support/gateway.ts';
import { startNginx } from '../../test/support/nginx.ts';
import { CORES, on } from '../support/cores.ts';
import { cpuTime } from '../support/proc.ts';
import { writeRequests } from '../support/request-file.ts';
import type { Context, Scenario } from '../support/scenario.ts';
import { median } from '../support/statistics.ts';
import { table } from '../support/table.ts';
import { startBenchUpstream } from '../support/upstream.ts';
import { runLoad } from '../support/wrk.ts';

const TARGETS = 1000;
const RATE = 5000;

async function start(config: KongConfig, workers = 1): Promise<Gateway> {
  return await startGateway({
    config,
    wrapper: on(CORES.gateway),
    settings: { nginx_worker_processes: workers, proxy_access_log: 'off' },
  });
}

function probed(port: number, interval: number): KongConfig {
  const upstreams = Array.from({ length: TARGETS }, (_, n) => ({
    name: `u${n}`,
    // Each has an address of its own, as targets do.
    targets: [{ target: `127.1.${n >> 8}.${n & 255}:${port}` }],
    healthchecks: {
      active: { healthy: { interval, successes: 1 }, unhealthy: { interval, tcp_failures: 3, timeouts: 3 } },
      passive: { unhealthy: { tcp_failures: 3 } },
    },
  }));
  return { _format_version: '3.0', upstreams };
}

/** Per cent of a core, over some seconds. */
async function load(gateway: Gateway, seconds: number): Promise<number> {
  const before = cpuTime(gateway.pid);
  const begun = performance.now();
  await delay(seconds * 1000);
  const after = cpuTime(gateway.pid);
  const used = after.user + after.system - before.user - before.system;
  return used / ((performance.now() - begun) * 10);
}

async function probes({ options, say }: Context): Promise<number[][]> {
  await using upstream = await startNginx({
    wrapper: on(CORES.upstream),
    http: `access_log off; server { listen 0.0.0.0:%PORT% backlog=4096; location / { return 200 'ok'; } }`,
  });
  const rows: number[][] = [];
  for (let round = 0; round < options.rounds; round++) {
    const cores: number[] = [];
    for (const interval of [0, 1]) {
      await using gateway = await start(probed(upstream.port, interval));
      await delay(2000);
      cores.push(await load(gateway, options.seconds));
    }
    rows.push(cores);
    say(`probes: ${cores.map((core) => core.toFixed(1)).join(' and ')} % of a core`);
  }
  return rows;
}

async function death(context: Context, retries: number): Promise<{ errors: number; perSecond: number }> {
  const [one, two, dying] = await Promise.all([
    startBenchUpstream(),
    startBenchUpstream(),
    startBenchUpstream(),
  ]);
  await using gateway = await start(
    {
      _format_version: '3.0',
      upstreams: [
        {
          name: 'u',
          healthchecks: { passive: { unhealthy: { tcp_failures: 2, timeouts: 2 } } },
          targets: [one, two, dying].map(({ port }) => ({ target: `127.0.0.1:${port}` })),
        },
      ],
      services: [{ name: 's', host: 'u', retries, routes: [{ paths: ['/'] }] }],
    },
    2,
  );
  const requests = await writeRequests(context, 'dying', [{ method: 'GET', path: '/' }]);
  const seconds = context.options.seconds + 2;
  const running = runLoad({
    port: gateway.proxyPort,
    requests,
    bodySize: 0,
    connections: 0,
    seconds,
    rate: RATE,
  });
  await delay((seconds * 1000) / 2);
  await dying[Symbol.asyncDispose]();
  const { failed: errors, perSecond } = await running;
  await one[Symbol.asyncDispose]();
  await two[Symbol.asyncDispose]();
  context.say(`death with ${retries} retries: ${errors} errors at ${perSecond.toFixed(0)} requests/s`);
  return { errors, perSecond };
}

export const health: Scenario = {
  name: 'health',
  summary: '1,000 probes a second; a target that dies at 5,000 requests/s',
  run: async (context) => {
    const cores = await probes(context);
    const deaths: Array<readonly [retries: number, result: { errors: number; perSecond: number }]> = [];
    for (let round = 0; round < context.options.rounds; round++) {
      for (const retries of [0, 5]) deaths.push([retries, await death(context, retries)]);
    }
    const at = (n: number): number => median(cores.map((row) => row[n] ?? 0));
    const cost = median(cores.map(([without = 0, with_ = 0]) => with_ - without));
    const probing = [`${at(0).toFixed(1)} %`, `${at(1).toFixed(1)} %`, `${cost.toFixed(1)} %`];
    const dying = deaths.map(([retries, { errors, perSecond }]) => [
      String(retries),
      perSecond.toFixed(0),
      String(errors),
    ]);
    return {
      text: [
        `### Health checks\n\n${TARGETS} upstreams of one target, each probed once a second, in per cent of a core:\n`,
        table(['without', 'with', 'the probes'], [probing]),
        '\nA target of three is killed under load:\n',
        table(['retries', 'requests/s', 'errors that clients saw'], dying),
      ].join('\n'),
      data: { cores, deaths },
    };
  },
};
