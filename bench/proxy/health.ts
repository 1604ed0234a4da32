/**
 * Health checks: what a thousand probes a second cost: the gateway's CPU time with the checks less that without, without
 * any request. Each target is an upstream of its own, which is the dearest form.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { startGateway, type Gateway, type KongConfig } from '../../test/support/gateway.ts';
import { startNginx } from '../../test/support/nginx.ts';
import { CORES, on } from '../support/cores.ts';
import { cpuTime } from '../support/proc.ts';
import type { Context, Scenario } from '../support/scenario.ts';
import { median } from '../support/statistics.ts';
import { table } from '../support/table.ts';

const TARGETS = 1000;

async function start(config: KongConfig): Promise<Gateway> {
  return await startGateway({
    config,
    wrapper: on(CORES.gateway),
    settings: { nginx_worker_processes: 1, proxy_access_log: 'off' },
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

export const health: Scenario = {
  name: 'health',
  summary: '1,000 probes a second',
  run: async (context) => {
    const cores = await probes(context);
    const at = (n: number): number => median(cores.map((row) => row[n] ?? 0));
    const cost = median(cores.map(([without = 0, with_ = 0]) => with_ - without));
    const probing = [`${at(0).toFixed(1)} %`, `${at(1).toFixed(1)} %`, `${cost.toFixed(1)} %`];
    return {
      text: [
        `### Health checks\n\n${TARGETS} upstreams of one target, each probed once a second, in per cent of a core:\n`,
        table(['without', 'with', 'the probes'], [probing]),
      ].join('\n'),
      data: { cores },
    };
  },
};
