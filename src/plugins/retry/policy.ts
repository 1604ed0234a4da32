/**
 * Which try is followed by another one, and when. Pure but for the budget and the counters that it is given.
 *
 * Three questions in turn: is this failure or answer one that the configuration names; may the request reach an upstream a
 * second time; can the time be waited that the upstream asks for, or that the back-off says. The budget is asked last, so
 * that it pays for tries that are made.
 */
import type { Entity } from '../../entities/schema/field.ts';
import { NO_RETRY, type RetryPolicy, type TryFailure, type TryOutcome } from '../kit/tries.ts';
import type { retry } from './schema.ts';

export type RetryConfig = Entity<typeof retry.config>;

/** Why a try was repeated, for metrics. */
export type RetryReason = TryFailure | 'status' | 'grpc_status';

export interface RetryMeans {
  /** A request was forwarded. */
  readonly request: () => void;
  /** False: the budget is used up. */
  readonly spend: () => boolean;
  readonly counted: (reason: RetryReason) => void;
  readonly exhausted: () => void;
  /** 0 to 1. */
  readonly random: () => number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** nginx never sends these twice once they were sent. */
const NOT_IDEMPOTENT: ReadonlySet<string> = new Set(['POST', 'LOCK', 'PATCH']);

export class Retries implements RetryPolicy {
  readonly attempts: number | null;
  readonly tryTimeout: number | null;
  readonly #config: RetryConfig;
  readonly #means: RetryMeans;
  readonly #statuses: ReadonlySet<number>;
  readonly #grpcStatuses: ReadonlySet<number>;
  readonly #failures: ReadonlySet<string>;
  readonly #methods: ReadonlySet<string> | null;

  constructor(config: RetryConfig, means: RetryMeans) {
    this.attempts = config.attempts;
    this.tryTimeout = config.per_try_timeout;
    this.#config = config;
    this.#means = means;
    this.#statuses = new Set(config.statuses);
    this.#grpcStatuses = new Set(config.grpc_statuses);
    this.#failures = new Set(config.on);
    this.#methods = config.methods === null ? null : new Set(config.methods);
  }

  begin(): void {
    this.#means.request();
  }

  wants(outcome: TryOutcome): boolean {
    return this.#reason(outcome) !== null;
  }

  decide(outcome: TryOutcome): number {
    const reason = this.#reason(outcome);
    if (reason === null) return NO_RETRY;
    const delay = this.#delay(outcome);
    if (delay === NO_RETRY) return NO_RETRY;
    if (!this.#means.spend()) {
      this.#means.exhausted();
      return NO_RETRY;
    }
    this.#means.counted(reason);
    return delay;
  }

  #reason(outcome: TryOutcome): RetryReason | null {
    const { failure, method, sent } = outcome;
    if (failure === null) return this.#answerReason(outcome);
    if (!this.#isNamed(failure)) return null;
    const safe = !sent || failure === 'refused_stream' || this.#mayRepeat(method);
    return safe ? failure : null;
  }

  #isNamed(failure: TryFailure): boolean {
    if (failure !== 'connect_timeout') return this.#failures.has(failure);
    return this.#failures.has('connect_failure') || this.#failures.has('timeout');
  }

  #answerReason({ status, headers, bodiless, method }: TryOutcome): RetryReason | null {
    if (this.#statuses.has(status)) return this.#mayRepeat(method) ? 'status' : null;
    if (this.#grpcStatuses.size === 0 || !bodiless || headers === null) return null;
    const said = headers.get('grpc-status');
    return said !== undefined && this.#grpcStatuses.has(Number(said)) ? 'grpc_status' : null;
  }

  #mayRepeat(method: string): boolean {
    return this.#methods === null ? !NOT_IDEMPOTENT.has(method) : this.#methods.has(method);
  }

  #delay({ retry, headers }: TryOutcome): number {
    const { backoff_base: base, backoff_max: max, retry_after_max: bound } = this.#config;
    const backoff = Math.floor(this.#means.random() * Math.min(max, base * 2 ** (retry - 1)));
    if (headers === null || bound === 0) return backoff;
    const asked = askedDelay(headers, this.#means.now());
    if (asked === null) return backoff;
    return asked > bound * 1000 ? NO_RETRY : Math.max(asked, backoff);
  }
}

/**
 * Milliseconds that an upstream asks to wait: `grpc-retry-pushback-ms` (gRFC A6: what is no number forbids retries),
 * `Retry-After` (RFC 9110 §10.2.3). Null: it asks for nothing.
 */
export function askedDelay(headers: { get(name: string): string | undefined }, now: number): number | null {
  const pushback = headers.get('grpc-retry-pushback-ms');
  if (pushback !== undefined) return /^\d{1,15}$/.test(pushback) ? Number(pushback) : Infinity;
  const after = headers.get('retry-after');
  if (after === undefined) return null;
  if (/^\d+$/.test(after)) return Number(after) * 1000;
  const date = /^[A-Z][a-z]{2,8}, .* GMT$/.test(after) ? Date.parse(after) : NaN;
  return Number.isNaN(date) ? null : Math.max(0, date - now);
}
