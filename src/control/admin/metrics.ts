/** `/metrics` and `/plugins/{id}/cost`: the health of targets, what plugins count and what they cost, on the whole node. */
import type { CostReport, Family, Series } from '../../observe/metrics/families.ts';
import { PROMETHEUS_TYPE, prometheusText } from '../../observe/metrics/prometheus-text.ts';
import { meanOf, NOTHING_SPREAD, quantileOf, type SpreadReport } from '../../observe/metrics/spread.ts';
import type { Gateway } from '../gateway.ts';
import type { SharedUsage } from '../../zone/shared/node-shared-zone.ts';
import { family, healthFamilies } from './health-metrics.ts';
import { type Methods, json } from './resource.ts';

/** Configurations whose cost `/metrics` tells: those that took the most time. */
const MAX_COSTS = 500;
const MICROSECONDS = 1000;

export function metrics({ supervisor, pluginMetrics, health }: Gateway): Methods {
  return {
    GET: async () => {
      const { families, costs } = await pluginMetrics.collect();
      const all = [
        ...healthFamilies(health.states()),
        ...costFamilies(costs),
        ...zoneFamilies(supervisor.shared.usage()),
        ...families,
      ];
      return new Response(prometheusText(all), { status: 200, headers: { 'content-type': PROMETHEUS_TYPE } });
    },
  };
}

export function pluginCost(gateway: Gateway): Methods {
  return {
    GET: async (context) => {
      const id = (context.req.param('id') ?? '').toLowerCase();
      const { costs } = await gateway.pluginMetrics.collect();
      const cost = costs.find((one) => one.id === id) ?? (await neverCalled(gateway, id));
      return cost === null ? json(404, { message: 'Not found' }) : json(200, shown(cost));
    },
  };
}

/** A configuration that is not served (it is disabled), or null. */
async function neverCalled({ store }: Gateway, id: string): Promise<CostReport | null> {
  await store?.refresh();
  const plugin = store?.get('plugins', { id }) ?? null;
  if (plugin === null) return null;
  const none = { calls: 0, failures: 0, synchronous: NOTHING_SPREAD, waiting: NOTHING_SPREAD };
  return { id, plugin: String(plugin['name']), ...none };
}

function shown({ id, plugin, calls, failures, synchronous, waiting }: CostReport): object {
  return { id, name: plugin, calls, failures, synchronous: times(synchronous), waiting: times(waiting) };
}

function times(spread: SpreadReport): object {
  return {
    samples: spread.samples,
    mean_us: rounded(meanOf(spread) * MICROSECONDS),
    p99_us: rounded(quantileOf(spread, 0.99) * MICROSECONDS),
  };
}

function rounded(microseconds: number): number {
  return Number(microseconds.toPrecision(3));
}

function costFamilies(costs: readonly CostReport[]): Family[] {
  const most = costs.toSorted((a, b) => timeOf(b) - timeOf(a)).slice(0, MAX_COSTS);
  const both = (value: (spread: SpreadReport) => number): Series[] =>
    most.flatMap(({ id, plugin, synchronous, waiting }) => [
      { values: [plugin, id, 'synchronous'], value: value(synchronous) },
      { values: [plugin, id, 'waiting'], value: value(waiting) },
    ]);
  const each = (value: (cost: CostReport) => number): Series[] =>
    most.map((cost) => ({ values: [cost.plugin, cost.id], value: value(cost) }));
  const labels = ['plugin', 'id'];
  const timed = ['plugin', 'id', 'time'];
  return [
    family(
      'sluice_plugin_calls_total',
      'counter',
      'Calls of filters of a configuration.',
      labels,
      each(({ calls }) => calls),
    ),
    family(
      'sluice_plugin_failures_total',
      'counter',
      'Filters that failed or did not settle in time.',
      labels,
      each(({ failures }) => failures),
    ),
    family(
      'sluice_plugin_sampled_calls_total',
      'counter',
      'Calls that were timed.',
      timed,
      both(({ samples }) => samples),
    ),
    family(
      'sluice_plugin_sampled_seconds_total',
      'counter',
      'Time of the calls that were timed.',
      timed,
      both(({ sum }) => sum / 1000),
    ),
    family(
      'sluice_plugin_p99_seconds',
      'gauge',
      'What 99 of 100 timed calls did not exceed.',
      timed,
      both((spread) => quantileOf(spread, 0.99) / 1000),
    ),
    family(
      'sluice_plugin_costs_omitted',
      'gauge',
      `Configurations beyond the ${MAX_COSTS} whose cost is told here.`,
      [],
      [{ values: [], value: costs.length - most.length }],
    ),
  ];
}

/** About, in milliseconds. */
function timeOf({ synchronous }: CostReport): number {
  return synchronous.sum;
}

function zoneFamilies({ size, entries, touched, blocks, evicted }: SharedUsage): Family[] {
  const one = (name: string, type: Family['type'], help: string, value: number): Family =>
    family(`sluice_plugin_zone_${name}`, type, help, [], [{ values: [], value }]);
  return [
    one('bytes', 'gauge', 'Memory in which plugins count and share (plugin_zone_size).', size),
    one('used_ratio', 'gauge', 'Share of it that was ever used.', touched / blocks),
    one('entries', 'gauge', 'Counters and values in it.', entries),
    one('evicted_total', 'counter', 'Counters and values that made room for others.', evicted),
  ];
}
