/**
 * What plugins of all workers count and cost, added up. Workers are asked when somebody asks here; one that does not answer
 * in time, or has died, stands with what it said last, so that counters do not fall.
 */
import {
  type CostReport,
  mergeReports,
  type MetricsReport,
  NO_METRICS,
  withoutGauges,
} from '../observe/metrics/families.ts';
import type { Supervisor } from './supervisor.ts';
import type { WorkerHandle } from './worker-handle.ts';

const ANSWER_MS = 1000;

export class PluginMetricsDesk {
  readonly #supervisor: Pick<Supervisor, 'workers'>;
  readonly #last = new Map<WorkerHandle, MetricsReport>();
  /** Of workers that are gone. */
  #gone: MetricsReport = NO_METRICS;
  #asking: Promise<MetricsReport> | null = null;

  constructor(supervisor: Pick<Supervisor, 'workers'>) {
    this.#supervisor = supervisor;
  }

  /** Who asks while others wait gets the same answer. */
  collect(): Promise<MetricsReport> {
    this.#asking ??= this.#collect().finally(() => (this.#asking = null));
    return this.#asking;
  }

  async #collect(): Promise<MetricsReport> {
    const workers = [...this.#supervisor.workers];
    await Promise.all(
      workers.map(async (worker) => {
        const answer = await worker.call({ type: 'metrics' }, ANSWER_MS);
        if (answer.ok && answer.metrics !== undefined) this.#last.set(worker, answer.metrics);
      }),
    );
    for (const [worker, report] of this.#last) {
      if (this.#supervisor.workers.includes(worker)) continue;
      this.#last.delete(worker);
      this.#gone = mergeReports([this.#gone, withoutGauges(report)]);
    }
    const now = [...this.#last.values()];
    const served = new Set(now.flatMap(({ costs }) => costs.map(({ id }) => id)));
    // What is not configured any more is forgotten.
    const costs = this.#gone.costs.filter(({ id }: CostReport) => served.has(id));
    this.#gone = { families: this.#gone.families, costs };
    return mergeReports([...now, this.#gone]);
  }
}
