/** How requests of a service or route want the targets of an upstream chosen, in place of what the upstream says. */
import type { AlgorithmName } from './algorithms/registry.ts';
import type { HashSource } from './hash-source.ts';

export interface BalancingPolicy {
  /** Policies with the same key are the same: one way of choosing is kept for them. */
  readonly key: string;
  /** Null: the upstream's. */
  readonly algorithm: AlgorithmName | null;
  /** Null: the upstream's. */
  readonly hashSource: HashSource | null;
  /** Milliseconds in which a target that is new or back gets to its full share; 0: at once. */
  readonly slowStart: number;
}
