/** hedging: a second try to another target when the first is slow. The policy is the service's, as that of retry. */
import type { Service } from '../../entities/service.ts';
import { definePlugin } from '../kit/define.ts';
import type { Filters } from '../kit/filters.ts';
import { TryBudget } from '../common/try-budget.ts';
import { Percentile } from './percentile.ts';
import { Hedges } from './policy.ts';
import { hedging } from './schema.ts';

export default definePlugin({
  ...hedging,
  create(config, { counters, metrics }): Filters {
    const sent = metrics.counter('hedges_total', 'Tries that were sent since another one was slow.');
    const won = metrics.counter('hedges_won_total', 'Requests that were answered by such a try.');
    const exhausted = metrics.counter('budget_exhausted_total', 'Tries that the budget did not allow.');
    const policies = new WeakMap<Service, Hedges>();
    const policyOf = (service: string): Hedges => {
      const budget = new TryBudget(counters, service, config.budget);
      const { percentile } = config;
      return new Hedges(config, {
        request: () => budget.request(),
        spend: () => budget.spend(),
        sent: () => sent(),
        won: () => won(),
        exhausted: () => exhausted(),
        percentile: percentile === null ? null : new Percentile(counters, `${service}/latency`, percentile),
      });
    };
    return {
      access({ service, upstreamRequest }) {
        if (service === null) return;
        let policy = policies.get(service);
        if (policy === undefined) policies.set(service, (policy = policyOf(service.id)));
        upstreamRequest.hedgePolicy = policy;
      },
    };
  },
});
