/** When a request is hedged, and what of it wins: one for each configuration and service. */
import type { Entity } from '../../entities/schema/field.ts';
import type { HedgePolicy } from '../kit/tries.ts';
import type { hedging } from './schema.ts';

export type HedgingConfig = Entity<typeof hedging.config>;

export interface HedgeMeans {
  readonly request: () => void;
  /** False: the budget is used up. */
  readonly spend: () => boolean;
  readonly sent: () => void;
  readonly won: () => void;
  readonly exhausted: () => void;
  /** Null: the delay is fixed. */
  readonly percentile: { observe(milliseconds: number): void; get(): number | null } | null;
}

export class Hedges implements HedgePolicy {
  readonly attempts: number;
  readonly #delay: number;
  readonly #means: HedgeMeans;
  readonly #methods: ReadonlySet<string>;
  readonly #losing: ReadonlySet<number>;

  constructor(config: HedgingConfig, means: HedgeMeans) {
    this.attempts = config.max_attempts;
    this.#delay = config.delay;
    this.#means = means;
    this.#methods = new Set(config.methods);
    this.#losing = new Set(config.losing_statuses);
  }

  hedges(method: string): boolean {
    return this.#methods.has(method);
  }

  begin(): void {
    this.#means.request();
  }

  delay(): number {
    return this.#means.percentile?.get() ?? this.#delay;
  }

  spend(): boolean {
    const may = this.#means.spend();
    if (may) this.#means.sent();
    else this.#means.exhausted();
    return may;
  }

  loses(status: number): boolean {
    return this.#losing.has(status);
  }

  observe(milliseconds: number): void {
    this.#means.percentile?.observe(milliseconds);
  }

  won(): void {
    this.#means.won();
  }
}
