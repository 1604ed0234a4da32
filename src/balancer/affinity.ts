/** What one request wants: the target that its client was at before. */
import type { Balancer } from './balancer.ts';
import type { BalancerTarget } from './target.ts';

export interface Affinity {
  /** While the target that is wanted cannot be used, no other will do. */
  readonly strict: boolean;
  /** By index; -1: any will do. */
  wanted(balancer: Balancer): number;
  /** A target has answered. */
  met(balancer: Balancer, target: BalancerTarget): void;
}
