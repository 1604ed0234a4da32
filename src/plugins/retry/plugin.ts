/**
 * retry: what of an upstream is tried again. The policy is the service's: one object for each that is met, so that the
 * budget is that of the service, whichever route a request came by.
 */
import type { Service } from '../../entities/service.ts';
import { definePlugin } from '../kit/define.ts';
import type { Filters } from '../kit/filters.ts';
import { TryBudget } from '../common/try-budget.ts';
import { Retries, type RetryReason } from './policy.ts';
import { retry } from './schema.ts';

export default definePlugin({
  ...retry,
  create(config, { counters, metrics }): Filters {
    const counted = metrics.counter('retries_total', 'Tries that followed another one.', ['reason']);
    const exhausted = metrics.counter('budget_exhausted_total', 'Tries that the budget did not allow.');
    const policies = new WeakMap<Service, Retries>();
    const policyOf = (service: string): Retries => {
      const budget = new TryBudget(counters, service, config.budget);
      return new Retries(config, {
        request: () => budget.request(),
        spend: () => budget.spend(),
        counted: (reason: RetryReason) => counted(1, [reason]),
        exhausted: () => exhausted(),
        random: Math.random,
        now: Date.now,
      });
    };
    return {
      access({ service, upstreamRequest }) {
        if (service === null) return;
        let policy = policies.get(service);
        if (policy === undefined) policies.set(service, (policy = policyOf(service.id)));
        upstreamRequest.retryPolicy = policy;
      },
    };
  },
});
