/**
 * What the filters of a configuration cost, always on: each call is counted, and each SAMPLE-th one of each filter is timed.
 *
 * The time until a filter returns is its own: nothing else runs meanwhile. What it then waits for is told apart, since
 * others run meanwhile; what an async filter does after its first `await` is in there too.
 */
import { performance } from 'node:perf_hooks';
import type { CostReport } from '../../observe/metrics/families.ts';
import { Spread } from '../../observe/metrics/spread.ts';
import type { Filters } from '../kit/filters.ts';
import { PHASES } from '../engine/phases.ts';

/** A power of two. */
const SAMPLE = 16;

type AnyFilter = (...args: unknown[]) => unknown;

interface Calls {
  count: number;
}

export class InstanceCost {
  readonly id: string;
  readonly plugin: string;
  failures = 0;
  /** Who uses it: an instance and its successor, for a moment. */
  users = 0;
  readonly #phases: Calls[] = [];
  readonly #synchronous = new Spread();
  readonly #waiting = new Spread();
  /** Of filters that are gone. */
  #past = 0;

  constructor(id: string, plugin: string) {
    this.id = id;
    this.plugin = plugin;
  }

  /** The same filters, counted and timed. */
  measured(filters: Filters): Filters {
    // What is no filter stays as it is.
    const all: Record<string, unknown> = { ...filters };
    for (const phase of PHASES) {
      const filter: unknown = filters[phase];
      if (typeof filter === 'function') all[phase] = this.#timed(filters, filter as AnyFilter);
    }
    if (filters.clientCertificates !== undefined) all['clientCertificates'] = filters.clientCertificates;
    if (filters.dispose !== undefined) all['dispose'] = () => filters.dispose?.();
    return all;
  }

  /** A filter has failed, or has not settled in time. */
  failed(): void {
    this.failures++;
  }

  get report(): CostReport {
    const { id, plugin, failures } = this;
    const calls = this.#phases.reduce((sum, { count }) => sum + count, this.#past);
    return { id, plugin, calls, failures, synchronous: this.#synchronous, waiting: this.#waiting };
  }

  #timed(filters: Filters, filter: AnyFilter): AnyFilter {
    const calls: Calls = { count: 0 };
    this.#phases.push(calls);
    return (first, second, third) =>
      (calls.count++ & (SAMPLE - 1)) === 0
        ? this.#sample(filters, filter, [first, second, third])
        : filter.call(filters, first, second, third);
  }

  #sample(filters: Filters, filter: AnyFilter, args: readonly unknown[]): unknown {
    const begun = performance.now();
    let returned = begun;
    let result: unknown;
    try {
      result = filter.apply(filters, args as unknown[]);
    } finally {
      returned = performance.now();
      this.#synchronous.add(returned - begun);
    }
    if (result instanceof Promise) {
      const settled = (): void => this.#waiting.add(performance.now() - returned);
      result.then(settled, settled);
    }
    return result;
  }
}
