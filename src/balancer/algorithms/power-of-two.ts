/**
 * Power of two choices: of two members taken at random by weight, the one of the less (requests in flight) / weight, of
 * the whole node. Nothing of the members is kept in order, so a choice costs the same whatever other workers do, and two
 * instead of the best of all keeps workers and nodes from running to the same member at the same time.
 *
 * Both are drawn by weight and equals go to the first: so shares follow the weights when nothing is in flight, too.
 */
import type { TargetZone } from '../../zone/targets/target-zone.ts';
import type { Algorithm, AlgorithmSpec, SharedLoads } from './algorithm.ts';
import { Random } from './random.ts';
import { WeightedDraw } from './weighted-draw.ts';

export class PowerOfTwo implements Algorithm {
  readonly #zone: TargetZone;
  readonly #slots: Int32Array;
  readonly #weights: readonly number[];
  readonly #draw: WeightedDraw;
  readonly #random: Random;

  constructor({ members, start }: AlgorithmSpec, { zone, loads }: SharedLoads) {
    this.#zone = zone;
    this.#slots = Int32Array.from(loads, ({ slot }) => slot);
    this.#weights = members.map(({ weight }) => weight);
    this.#draw = new WeightedDraw(this.#weights);
    this.#random = new Random(start);
  }

  setOut(member: number, out: boolean): void {
    this.#draw.setOut(member, out);
  }

  next(passed: ReadonlySet<number> | null): number {
    if (passed === null) return this.#choose();
    const draw = this.#draw;
    const taken: number[] = [];
    for (const member of passed) {
      if (draw.isOut(member)) continue;
      draw.setOut(member, true);
      taken.push(member);
    }
    const chosen = this.#choose();
    for (const member of taken) draw.setOut(member, false);
    return chosen;
  }

  #choose(): number {
    const draw = this.#draw;
    if (draw.count === 0) return -1;
    const one = draw.at(this.#random.below(draw.total));
    if (draw.count === 1) return one;
    const { before } = draw;
    const weight = this.#weights[one]!;
    const point = this.#random.below(draw.total - weight);
    const other = draw.at(point < before ? point : point + weight);
    return this.#inFlight(other) * weight < this.#inFlight(one) * this.#weights[other]! ? other : one;
  }

  #inFlight(member: number): number {
    return this.#zone.inFlight(this.#slots[member]!);
  }
}
