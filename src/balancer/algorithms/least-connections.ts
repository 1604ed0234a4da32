/**
 * Kong's least-connections: the member of the least (requests in flight + 1) / weight, of the whole node.
 *
 * What is in flight changes under the hands of other workers, so no order of the members can be kept: they are looked
 * at, from another one each time so that equals take turns, until one is found that nothing can be better than, which
 * is an idle one of the largest weight. That is for few members (load-tree.ts is for many).
 */
import type { TargetZone } from '../../zone/targets/target-zone.ts';
import type { Algorithm, AlgorithmSpec, SharedLoads } from './algorithm.ts';

export class LeastConnections implements Algorithm {
  readonly #zone: TargetZone;
  readonly #slots: Int32Array;
  /** 1 / weight. */
  readonly #costs: Float64Array;
  /** The score of an idle member of the largest weight. */
  readonly #ideal: number;
  /** 1: out for everybody. */
  readonly #out: Uint8Array;
  #first: number;

  constructor({ members, start }: AlgorithmSpec, { zone, loads }: SharedLoads) {
    this.#zone = zone;
    this.#slots = Int32Array.from(loads, ({ slot }) => slot);
    this.#costs = Float64Array.from(members, ({ weight }) => 1 / weight);
    this.#ideal = this.#costs.reduce((least, cost) => Math.min(least, cost), Infinity);
    this.#out = new Uint8Array(members.length);
    this.#first = Math.floor(start * members.length);
  }

  setOut(member: number, out: boolean): void {
    this.#out[member] = Number(out);
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
    const zone = this.#zone;
    const slots = this.#slots;
    const costs = this.#costs;
    const ideal = this.#ideal;
    const gone = this.#out;
    let { index, score } = least;
    for (let i = from; i < to; i++) {
      if (gone[i] !== 0) continue;
      const own = (zone.inFlight(slots[i]!) + 1) * costs[i]!;
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
