/**
 * Kong's least-connections: the member of the least (requests in flight + 1) / weight, of the whole node.
 *
 * What is in flight changes under the hands of other workers, so no order of the members can be kept: they are looked
 * at, from another one each time so that equals take turns, until one is found that nothing can be better than, which
 * is an idle one of the largest weight. The sums of all members are read from one array of integers, which is what
 * makes a thousand of them affordable.
 */
import type { Algorithm, AlgorithmSpec, SharedLoads } from './algorithm.ts';

export class LeastConnections implements Algorithm {
  readonly #sums: Int32Array;
  /** Of each member in the sums. */
  readonly #slots: Int32Array;
  /** 1 / weight. */
  readonly #costs: Float64Array;
  /** The score of an idle member of the largest weight. */
  readonly #ideal: number;
  #first: number;

  constructor({ members, start }: AlgorithmSpec, { zone, loads }: SharedLoads) {
    this.#sums = zone.sums;
    this.#slots = Int32Array.from(loads, ({ slot }) => slot);
    this.#costs = Float64Array.from(members, ({ weight }) => 1 / weight);
    this.#ideal = this.#costs.reduce((least, cost) => Math.min(least, cost), Infinity);
    this.#first = Math.floor(start * members.length);
  }

  next(passed: ReadonlySet<number> | null): number {
    const { length } = this.#slots;
    const first = this.#first;
    const least: Least = { index: -1, score: Infinity };
    if (!this.#look(least, first, length, passed)) this.#look(least, 0, first, passed);
    this.#first = least.index + 1 < length ? least.index + 1 : 0;
    return least.index;
  }

  /** True: there is no better one. */
  #look(least: Least, from: number, to: number, passed: ReadonlySet<number> | null): boolean {
    const sums = this.#sums;
    const slots = this.#slots;
    const costs = this.#costs;
    const ideal = this.#ideal;
    let { index, score } = least;
    for (let i = from; i < to; i++) {
      const own = (sums[slots[i]!]! + 1) * costs[i]!;
      if (own >= score || passed?.has(i) === true) continue;
      index = i;
      score = own;
      if (own <= ideal) break;
    }
    least.index = index;
    least.score = score;
    return score <= ideal;
  }
}

interface Least {
  index: number;
  score: number;
}
