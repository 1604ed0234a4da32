/** What all ways of balancing have in common. Which there are is listed in registry.ts. */
import type { TargetLoad } from '../../zone/targets/target-load.ts';
import type { TargetZone } from '../../zone/targets/target-zone.ts';

export interface Algorithm {
  /**
   * The member that a request goes to; -1 when none is left.
   *
   * @param passed members that are out for this request, by index, and few of them; null: none.
   * @param hash 32 bits of what the request is hashed on; 0 where nothing is.
   */
  next(passed: ReadonlySet<number> | null, hash: number): number;
  /** Whether a member is out for every request from now on. Cheap, and makes no choice dearer however many are out. */
  setOut(member: number, out: boolean): void;
  /** It is used no more, but by requests that began with it. */
  close?(): void;
}

/** What a member is told apart by when the targets change. */
export interface Member {
  /** `host:port` */
  readonly name: string;
  /** A positive integer. */
  readonly weight: number;
}

export interface AlgorithmSpec {
  readonly members: readonly Member[];
  /** 0 to 1: where this worker begins. */
  readonly start: number;
  /** Of consistent hashing. */
  readonly slots: number;
  /** What served until now, whose work may be taken over. */
  readonly previous: Algorithm | null;
}

/** Where the state of members is that all workers share, in their order. */
export interface SharedLoads {
  readonly zone: TargetZone;
  readonly loads: readonly TargetLoad[];
}

/** Made while a request waits: at once, whatever the number of members. */
export type MakeAtOnce = (spec: AlgorithmSpec) => Algorithm;
/** Made in steps, each well below a millisecond, beside the traffic. */
export type MakeAlgorithm = (spec: AlgorithmSpec) => Generator<void, Algorithm>;
/** Made when the balancer is about to serve. */
export type MakeSharedAlgorithm = (spec: AlgorithmSpec, shared: SharedLoads) => Algorithm;
