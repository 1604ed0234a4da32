/** What became of a request to a target, or of a probe → the counters of its slot. */
import { FAILURE, type HealthHandle, type HealthZone } from '../../zone/health/health-zone.ts';
import type { Limits } from './health-checks.ts';

export type Outcome = number | 'connected' | 'tcp failure' | 'timeout';

/** An answer that is none: Kong counts it as an unhealthy status. */
export const NO_STATUS = 0;

/**
 * @param outcome a status, or what came instead of one.
 * @returns the state that the target has from now on because of it, or null: no change.
 */
export function report(
  zone: HealthZone,
  handle: HealthHandle,
  outcome: Outcome,
  limits: Limits,
): 'healthy' | 'unhealthy' | null {
  if (outcome === 'tcp failure') return fell(zone.failed(handle, FAILURE.tcp, limits.tcpFailures));
  if (outcome === 'timeout') return fell(zone.failed(handle, FAILURE.timeout, limits.timeouts));
  if (outcome === 'connected' || limits.healthyStatuses.has(outcome))
    return zone.succeeded(handle, limits.successes) ? 'healthy' : null;
  if (outcome === NO_STATUS || limits.unhealthyStatuses.has(outcome))
    return fell(zone.failed(handle, FAILURE.http, limits.httpFailures));
  return null;
}

function fell(turned: boolean): 'unhealthy' | null {
  return turned ? 'unhealthy' : null;
}
