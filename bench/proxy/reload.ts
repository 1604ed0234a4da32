/**
 * Reload under load: 10,000 routes, requests at half of what the gateway can do, and every other measurement with a
 * changed configuration posted every second. No request may fail, and the two p99 are compared.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Gateway } from '../../test/support/gateway.ts';
import { startSluice } from '../contenders/sluice.ts';
import { writeRequests } from '../support/request-file.ts';
import { manyRouteSet } from '../support/route-sets.ts';
import type { Scenario } from '../support/scenario.ts';
import { median } from '../support/statistics.ts';
import { table } from '../support/table.ts';
import { runLoad, type LoadResult } from '../support/wrk.ts';

const ROUTES = 10_000;
/** Routes that differ from one configuration to the next. */
const CHANGED = 500;
/** Milliseconds between the answer to one reload and the next. */
const PAUSE = 1000;

interface Reloads {
  count: number;
  readonly milliseconds: number[];
}

/** Posts the configurations in turn until `stop` says so. */
async function reloadUntil(
  stop: AbortSignal,
  gateway: Gateway,
  configs: readonly string[],
): Promise<Reloads> {
  const reloads: Reloads = { count: 0, milliseconds: [] };
  while (!stop.aborted) {
    const begun = performance.now();
    const { status, body } = await gateway.postConfig(configs[reloads.count % configs.length] ?? '');
    if (status >= 300) throw new Error(`POST /config: ${status} ${JSON.stringify(body).slice(0, 300)}`);
    reloads.count++;
    reloads.milliseconds.push(performance.now() - begun);
    await delay(PAUSE, undefined, { signal: stop }).catch(() => {});
  }
  return reloads;
}

export const reload: Scenario = {
  name: 'reload',
  summary: '10,000 routes reloaded again and again at half of the capacity',
  run: async (context) => {
    const { options, upstream, say } = context;
    const set = manyRouteSet(ROUTES);
    // YAML is what people post; JSON is YAML too, and is posted as such.
    const changed = set.changed(upstream.port, CHANGED);
    const configs = [changed, set.config(upstream.port)].map((config) => JSON.stringify(config));
    await using sluice = await startSluice({ config: set.config(upstream.port) });
    const requests = await writeRequests(context, 'reload', set.requests(20_000));
    const load = { port: sluice.port, requests, bodySize: 0, connections: 64 } as const;
    await runLoad({ ...load, seconds: options.seconds });
    const capacity = (await runLoad({ ...load, seconds: options.seconds })).perSecond;
    const rate = Math.round(capacity / 2);
    say(`capacity ${Math.round(capacity)} requests/s`);
    const without: LoadResult[] = [];
    const during: LoadResult[] = [];
    const times: number[] = [];
    for (let round = 0; round < options.rounds; round++) {
      without.push(await runLoad({ ...load, seconds: options.seconds, rate }));
      const stop = new AbortController();
      const reloading = reloadUntil(stop.signal, sluice.gateway, configs);
      during.push(await runLoad({ ...load, seconds: options.seconds, rate }));
      stop.abort();
      const { milliseconds, count } = await reloading;
      times.push(...milliseconds);
      say(`${count} reloads, p99 ${without.at(-1)?.p99.toFixed(2)} and ${during.at(-1)?.p99.toFixed(2)} ms`);
    }
    const row = (name: string, results: readonly LoadResult[]): string[] => [
      name,
      String(Math.round(median(results.map((result) => result.perSecond)))),
      median(results.map((result) => result.p50)).toFixed(2),
      median(results.map((result) => result.p99)).toFixed(2),
      Math.max(...results.map((result) => result.max)).toFixed(1),
      String(results.reduce((sum, { refused }) => sum + refused, 0)),
      String(results.reduce((sum, { broken }) => sum + broken, 0)),
    ];
    const ratios = during.map((result, round) => result.p99 / (without[round]?.p99 ?? Number.NaN));
    const header = [
      '10,000 routes',
      'requests/s',
      'p50 ms',
      'p99 ms',
      'longest ms',
      'error answers',
      'broken',
    ];
    return {
      text: [
        '### Reload at half of the capacity',
        '',
        table(header, [row('without reload', without), row('while reloading', during)]),
        '',
        `p99 while reloading over p99 without: ${median(ratios).toFixed(2)} (median of ${ratios.length} rounds)`,
        `${times.length} reloads, each answered in ${median(times).toFixed(0)} ms (median)`,
      ].join('\n'),
      data: { capacity, rate, without, during, times, ratios },
    };
  },
};
