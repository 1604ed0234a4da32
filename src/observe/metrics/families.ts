/** Metrics as they are told by a thread, and how those of several are added. */
import { Spread, type SpreadReport } from './spread.ts';

export interface Series {
  /** Of the labels, in their order. */
  readonly values: readonly string[];
  /** Of a histogram, the sum of what was observed. */
  readonly value: number;
  /** Of a histogram: observations up to each bound, and beyond all. */
  readonly counts?: readonly number[];
}

export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly string[];
  /** Of a histogram: upper bounds, ascending. */
  readonly buckets?: readonly number[];
  readonly series: readonly Series[];
}

/** What the calls of one configuration of a plugin cost. */
export interface CostReport {
  readonly id: string;
  readonly plugin: string;
  /** Of all its filters. */
  readonly calls: number;
  readonly failures: number;
  /** Until the filter returned. */
  readonly synchronous: SpreadReport;
  /** Until what it returned had settled, where that was a promise. */
  readonly waiting: SpreadReport;
}

/** All that a worker knows. */
export interface MetricsReport {
  readonly families: readonly Family[];
  readonly costs: readonly CostReport[];
}

export const NO_METRICS: MetricsReport = { families: [], costs: [] };

interface SumOfSeries {
  readonly values: readonly string[];
  value: number;
  counts: number[] | undefined;
}

/** Adds up reports of several threads. Families of the same name and kind are one. */
export function mergeReports(reports: readonly MetricsReport[]): MetricsReport {
  return {
    families: mergeFamilies(reports.flatMap(({ families }) => families)),
    costs: mergeCosts(reports.flatMap(({ costs }) => costs)),
  };
}

/** What stays of threads that are gone: counts, and no states. */
export function withoutGauges({ families, costs }: MetricsReport): MetricsReport {
  return { families: families.filter(({ type }) => type !== 'gauge'), costs };
}

function mergeFamilies(families: readonly Family[]): Family[] {
  const merged = new Map<string, { family: Family; series: Map<string, SumOfSeries> }>();
  for (const family of families) {
    let into = merged.get(family.name);
    if (into === undefined) merged.set(family.name, (into = { family, series: new Map() }));
    if (!isSame(into.family, family)) continue;
    for (const { values, value, counts } of family.series) {
      const key = values.join('\0');
      const sum = into.series.get(key);
      if (sum === undefined) into.series.set(key, { values, value, counts: counts && [...counts] });
      else {
        sum.value += value;
        counts?.forEach((count, at) => {
          if (sum.counts !== undefined) sum.counts[at] = (sum.counts[at] ?? 0) + count;
        });
      }
    }
  }
  return [...merged.values()].map(({ family, series }) =>
    Object.assign({}, family, { series: [...series.values()].map(plain) }),
  );
}

function plain({ values, value, counts }: SumOfSeries): Series {
  return counts === undefined ? { values, value } : { values, value, counts };
}

function isSame(one: Family, other: Family): boolean {
  const shape = ({ type, labels, buckets }: Family): string => JSON.stringify([type, labels, buckets]);
  return one === other || shape(one) === shape(other);
}

function mergeCosts(costs: readonly CostReport[]): CostReport[] {
  const merged = new Map<
    string,
    CostReport & { calls: number; failures: number; synchronous: Spread; waiting: Spread }
  >();
  for (const { id, plugin, calls, failures, synchronous, waiting } of costs) {
    let sum = merged.get(id);
    if (sum === undefined) {
      sum = { id, plugin, calls: 0, failures: 0, synchronous: new Spread(), waiting: new Spread() };
      merged.set(id, sum);
    }
    sum.calls += calls;
    sum.failures += failures;
    sum.synchronous.merge(synchronous);
    sum.waiting.merge(waiting);
  }
  return [...merged.values()];
}
