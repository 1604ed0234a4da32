/** What a configuration of circuit-breaker says of failures, as it is used. */
import type { Outcome } from '../../balancer/health/report.ts';
import type { Entity } from '../../entities/schema/field.ts';
import type { BreakerRules } from '../../zone/circuits/breaker.ts';
import type { circuitBreaker } from './schema.ts';

type Config = Entity<(typeof circuitBreaker)['config']>;

export function rulesOf(config: Config): BreakerRules {
  return {
    windowMs: config.window,
    minimum: config.minimum_requests,
    errorPercent: config.error_percent,
    streak: config.consecutive_failures ?? 0,
    openMs: config.open_time,
    backoff: config.backoff,
    maxOpenMs: Math.max(config.max_open_time, config.open_time),
    probes: config.half_open_requests,
    successes: config.half_open_successes,
  };
}

/** @returns whether such an outcome is a failure. */
export function failureTest(config: Config): (outcome: Outcome, ms: number) => boolean {
  const statuses = new Set(config.failure_statuses);
  const slow = config.slow_call ?? Infinity;
  return (outcome, ms) => {
    if (typeof outcome === 'number') return ms > slow || statuses.has(outcome);
    if (outcome === 'timeout') return config.timeouts;
    return outcome === 'tcp failure' && config.connection_errors;
  };
}
