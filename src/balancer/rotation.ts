/**
 * Whose turn it is: smooth weighted round robin, the algorithm of nginx.
 *
 * With each turn every member gains its weight and the richest one is taken, which pays the sum. Over one cycle (the
 * sum of the weights without their common divisor) every member is taken exactly as often as its weight says, and a
 * heavy one is spread between the others instead of coming in a row. Equal weights, which is what nearly everybody
 * has, simply take turns; unequal ones cost a turn that is linear in their number (Kong's wheel is not, but takes a
 * slot for each unit of weight).
 *
 * A member that is passed over neither gains nor pays, so that its share goes to the others by their weights and it
 * does not catch up later. The same holds for one that is out for everybody (`setOut`).
 */

/** Bounds the work of a start in the middle of a cycle. */
const MAX_START_WORK = 4096;

export class Rotation {
  readonly #weights: readonly number[];
  /** Null: equal weights. */
  readonly #credits: Float64Array | null;
  readonly #cycle: number;
  /** 1: out for everybody. */
  readonly #out: Uint8Array;
  #missing = 0;
  #turn = 0;

  /**
   * @param weights positive integers.
   * @param start 0 to 1, where in the cycle to begin: workers begin at different places, or all of them would send
   * their first requests to the first member.
   */
  constructor(weights: readonly number[], start: number) {
    const divisor = weights.reduce(gcd, 0);
    this.#weights = weights.map((weight) => weight / divisor);
    this.#cycle = this.#weights.reduce((sum, weight) => sum + weight, 0);
    this.#out = new Uint8Array(weights.length);
    const equal = this.#weights.every((weight) => weight === 1);
    this.#credits = equal ? null : new Float64Array(weights.length);
    if (equal) {
      this.#turn = Math.floor(start * weights.length);
    } else {
      const turns = Math.min(this.#cycle, Math.ceil(MAX_START_WORK / weights.length));
      for (let turn = Math.floor(start * turns); turn > 0; turn--) this.next();
    }
  }

  /** Turns after which the order repeats. */
  get cycle(): number {
    return this.#cycle;
  }

  setOut(member: number, out: boolean): void {
    this.#missing += Number(out) - this.#out[member]!;
    this.#out[member] = Number(out);
  }

  /** The member whose turn it is; -1 when there is none. Allocates nothing. */
  next(): number {
    if (this.#credits !== null) return this.#richest(this.#credits, null);
    return this.#missing === 0 ? this.#step() : this.#search(null);
  }

  /** The same without some; -1 when none is left. */
  nextBut(passed: ReadonlySet<number>): number {
    return this.#credits === null ? this.#search(passed) : this.#richest(this.#credits, passed);
  }

  #step(): number {
    const { length } = this.#weights;
    if (length === 0) return -1;
    const turn = this.#turn;
    this.#turn = turn + 1 === length ? 0 : turn + 1;
    return turn;
  }

  #search(passed: ReadonlySet<number> | null): number {
    for (let i = 0; i < this.#weights.length; i++) {
      const turn = this.#step();
      if (this.#out[turn] === 0 && passed?.has(turn) !== true) return turn;
    }
    return -1;
  }

  #richest(credits: Float64Array, passed: ReadonlySet<number> | null): number {
    const weights = this.#weights;
    const out = this.#out;
    let best = -1;
    let sum = 0;
    for (let i = 0; i < weights.length; i++) {
      if (out[i] !== 0 || passed?.has(i) === true) continue;
      sum += weights[i]!;
      credits[i]! += weights[i]!;
      if (best < 0 || credits[i]! > credits[best]!) best = i;
    }
    if (best >= 0) credits[best]! -= sum;
    return best;
  }
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
