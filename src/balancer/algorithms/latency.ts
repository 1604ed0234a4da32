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
import { Present } from './present.ts';
import { Random } from './random.ts';

/** Members tried at random before one is searched for. */
const THROWS = 4;

export class Latency implements Algorithm {
  readonly #zone: TargetZone;
  readonly #slots: Int32Array;
  readonly #weights: readonly number[];
  readonly #present: Present;
  readonly #random: Random;

  constructor({ members, start }: AlgorithmSpec, { zone, loads }: SharedLoads) {
    this.#zone = zone;
    this.#slots = Int32Array.from(loads, ({ slot }) => slot);
    this.#weights = members.map(({ weight }) => weight);
    this.#present = new Present(members.length);
    this.#random = new Random(start);
  }

  setOut(member: number, out: boolean): void {
    this.#present.setOut(member, out);
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
    const present = this.#present;
    const { count } = present;
    let place = 0;
    for (let thrown = 0; thrown < THROWS && count > 0; thrown++) {
      place = this.#random.below(count);
      const member = present.at(place);
      if (member !== but && passed?.has(member) !== true) return member;
    }
    for (let step = 0; step < count; step++) {
      place = place + 1 < count ? place + 1 : 0;
      const member = present.at(place);
      if (member !== but && passed?.has(member) !== true) return member;
    }
    return -1;
  }
}
