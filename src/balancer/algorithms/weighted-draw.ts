/**
 * Members by weight: which one a number falls on, when each of those that are in has as much of the line as its weight.
 *
 * Sums of weights in a Fenwick tree, so that both a draw and a member that goes or comes cost the logarithm of their
 * number, and a draw is exact however many are out.
 */
export class WeightedDraw {
  /** Of those that are in. */
  total = 0;
  count = 0;
  /** Where on the line the member of the last draw begins. */
  before = 0;
  readonly #weights: readonly number[];
  readonly #out: Uint8Array;
  /** From 1; of i the sum of the `i & -i` members up to it. */
  readonly #sums: Float64Array;
  readonly #top: number;

  /** @param weights positive integers. */
  constructor(weights: readonly number[]) {
    this.#weights = weights;
    this.#out = new Uint8Array(weights.length).fill(1);
    this.#sums = new Float64Array(weights.length + 1);
    this.#top = weights.length === 0 ? 0 : 2 ** Math.floor(Math.log2(weights.length));
    for (const member of weights.keys()) this.setOut(member, false);
  }

  isOut(member: number): boolean {
    return this.#out[member] !== 0;
  }

  setOut(member: number, out: boolean): void {
    if (this.isOut(member) === out) return;
    this.#out[member] = Number(out);
    const change = out ? -this.#weights[member]! : this.#weights[member]!;
    this.total += change;
    this.count += out ? -1 : 1;
    for (let i = member + 1; i < this.#sums.length; i += i & -i) this.#sums[i]! += change;
  }

  /** @param point an integer from 0 to `total`, which is not one itself. */
  at(point: number): number {
    const sums = this.#sums;
    let member = 0;
    let left = point;
    for (let step = this.#top; step > 0; step >>= 1) {
      const next = member + step;
      if (next < sums.length && sums[next]! <= left) {
        member = next;
        left -= sums[next]!;
      }
    }
    this.before = point - left;
    return member;
  }
}
