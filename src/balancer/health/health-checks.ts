/** An upstream's `healthchecks` as they are used: statuses as sets, limits, and whether there is anything to do. */
import type { Upstream } from '../../entities/upstream.ts';

type Checks = NonNullable<Upstream['healthchecks']>;

/** What counts, and how often it must come in a row to turn a target over; 0: never. */
export interface Limits {
  readonly healthyStatuses: ReadonlySet<number>;
  readonly successes: number;
  readonly unhealthyStatuses: ReadonlySet<number>;
  readonly tcpFailures: number;
  readonly timeouts: number;
  readonly httpFailures: number;
}

export interface HealthChecks {
  /** Targets have a state at all (Kong's rule). */
  readonly used: boolean;
  /** Per cent of the weight that must be exceeded by what is available, or nobody gets a request. */
  readonly threshold: number;
  readonly passive: Limits;
  readonly active: Limits;
}

export function healthChecksOf({ active, passive, threshold }: Checks): HealthChecks {
  const { tcp_failures, timeouts, http_failures } = passive.unhealthy;
  return {
    used: isProbed({ active }) || tcp_failures > 0 || timeouts > 0 || http_failures > 0,
    threshold,
    passive: limitsOf(passive),
    active: limitsOf(active),
  };
}

function isProbed({ active }: Pick<Checks, 'active'>): boolean {
  return active.healthy.interval > 0 || active.unhealthy.interval > 0;
}

function limitsOf({ healthy, unhealthy }: Pick<Checks['passive'], 'healthy' | 'unhealthy'>): Limits {
  return {
    healthyStatuses: new Set(healthy.http_statuses),
    successes: healthy.successes,
    unhealthyStatuses: new Set(unhealthy.http_statuses),
    tcpFailures: unhealthy.tcp_failures,
    timeouts: unhealthy.timeouts,
    httpFailures: unhealthy.http_failures,
  };
}
