/**
 * A budget of extra tries: at most a share of the requests of a window plus a minimum, counted by all workers of the node
 * together, so that tries cannot multiply what an upstream has to bear when it is down.
 *
 * What counts is the current window and, of the one before, the part that lies less than a window ago. Requests cost one
 * increment each. A counter that made room for others is begun anew: then fewer requests are known, not fewer tries than
 * the minimum.
 */
import { monotonicMs } from '../../lib/monotonic.ts';
import type { SharedCounters } from '../kit/services.ts';

export interface BudgetTerms {
  /** Extra tries for a hundred requests. */
  readonly percent: number;
  /** Extra tries a second that are always allowed, over the window. */
  readonly min_per_second: number;
  /** Seconds. */
  readonly window: number;
}

export class TryBudget {
  readonly #counters: SharedCounters;
  readonly #terms: BudgetTerms;
  readonly #key: string;
  readonly #windowMs: number;
  readonly #clock: () => number;
  /** Keys of a window are made once. */
  #window = -1;
  #requests = '';
  #spent = '';

  /** @param clock milliseconds, the same in all workers. */
  constructor(counters: SharedCounters, key: string, terms: BudgetTerms, clock: () => number = monotonicMs) {
    this.#counters = counters;
    this.#key = key;
    this.#terms = terms;
    this.#windowMs = terms.window * 1000;
    this.#clock = clock;
  }

  /** A request, not a try. */
  request(): void {
    this.#turn(this.#clock());
    this.#counters.increment(this.#requests, 1, 2 * this.#windowMs);
  }

  /** Takes one extra try. False: there is none left. */
  spend(): boolean {
    const now = this.#clock();
    this.#turn(now);
    const counters = this.#counters;
    const { percent, min_per_second: least, window } = this.#terms;
    const before = 1 - (now % this.#windowMs) / this.#windowMs;
    const last = `${this.#key}/${this.#window - 1}`;
    const requests = counters.get(this.#requests) + before * counters.get(`${last}/requests`);
    const spent = counters.increment(this.#spent, 1, 2 * this.#windowMs);
    const all = spent + before * counters.get(`${last}/spent`);
    // Sums of parts of windows: what is one try too many by a rounding is not.
    if (all <= (percent / 100) * requests + least * window + 1e-6) return true;
    counters.increment(this.#spent, -1);
    return false;
  }

  #turn(now: number): void {
    const window = Math.floor(now / this.#windowMs);
    if (window === this.#window) return;
    this.#window = window;
    this.#requests = `${this.#key}/${window}/requests`;
    this.#spent = `${this.#key}/${window}/spent`;
  }
}
