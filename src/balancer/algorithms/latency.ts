/**
 * Kong's latency: of two members taken at random, the one whose answer is to be expected sooner for its weight.
 *
 * Expected is the peak EWMA of its latencies (a slower answer counts at once, a faster one by and by; it fades in 10 s)
 * times what is in flight there: without that, all workers run to the fastest member until it is the slowest. Two at
 * random instead of the best of all is Kong's choice too, and it keeps members known that were slow once. A member that
 * never answered is asked once, and again when that answer is here.
 */
import type { TargetZone } from '../../zone/targets/target-zone.ts';
import type { Algorithm, AlgorithmSpec, SharedLoads } from './algorithm.ts';

/** Members tried at random before one is searched for. */
const THROWS = 4;

export class Latency implements Algorithm {
  readonly #zone: TargetZone;
  readonly #slots: Int32Array;
  readonly #weights: readonly number[];
  #seed: number;

  constructor({ members, start }: AlgorithmSpec, { zone, loads }: SharedLoads) {
    this.#zone = zone;
    this.#slots = Int32Array.from(loads, ({ slot }) => slot);
    this.#weights = members.map(({ weight }) => weight);
    this.#seed = Math.floor(start * 0xffff_ffff) | 1;
  }

  next(passed: ReadonlySet<number> | null): number {
    const one = this.#any(passed, -1);
    if (one < 0) return -1;
    const other = this.#any(passed, one);
    if (other < 0) return one;
    const now = this.#zone.now();
    return this.#score(one, now) <= this.#score(other, now) ? one : other;
  }

  #score(member: number, now: number): number {
    return this.#zone.expected(this.#slots[member]!, now) / this.#weights[member]!;
  }

  /** A member at random but for those; -1 when there is none. */
  #any(passed: ReadonlySet<number> | null, but: number): number {
    const { length } = this.#slots;
    if (length === 0) return -1;
    let member = 0;
    for (let thrown = 0; thrown < THROWS; thrown++) {
      member = this.#random(length);
      if (member !== but && passed?.has(member) !== true) return member;
    }
    for (let step = 0; step < length; step++) {
      member = member + 1 < length ? member + 1 : 0;
      if (member !== but && passed?.has(member) !== true) return member;
    }
    return -1;
  }

  /** xorshift32. */
  #random(below: number): number {
    let seed = this.#seed;
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    this.#seed = seed;
    return Math.floor(((seed >>> 0) / 2 ** 32) * below);
  }
}
