/**
 * Turns by weight. A few members, or equal ones, have the order of nginx (rotation.ts); a turn of many unequal members
 * would be linear there, so they have a schedule.
 */
import { Rotation } from '../rotation.ts';
import { Schedule } from '../schedule.ts';
import type { Algorithm, AlgorithmSpec } from './algorithm.ts';

/** Unequal members from which on the schedule is cheaper. */
const MANY = 48;

export class RoundRobin implements Algorithm {
  readonly #turns: Rotation | Schedule;

  constructor({ members, start }: AlgorithmSpec) {
    const weights = members.map(({ weight }) => weight);
    const unequal = weights.some((weight) => weight !== weights[0]);
    this.#turns =
      unequal && weights.length >= MANY ? new Schedule(weights, start) : new Rotation(weights, start);
  }

  setOut(member: number, out: boolean): void {
    this.#turns.setOut(member, out);
  }

  next(passed: ReadonlySet<number> | null): number {
    return passed === null ? this.#turns.next() : this.#turns.nextBut(passed);
  }
}
