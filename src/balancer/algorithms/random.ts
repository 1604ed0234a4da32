/** Random numbers for balancing: cheap, and the same from the same start. Nothing here resists an attacker. */
export class Random {
  #seed: number;

  /** @param start 0 to 1. */
  constructor(start: number) {
    this.#seed = Math.floor(start * 0xffff_ffff) | 1;
  }

  /** An integer from 0 to that. xorshift32. */
  below(limit: number): number {
    let seed = this.#seed;
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    this.#seed = seed;
    return Math.floor(((seed >>> 0) / 2 ** 32) * limit);
  }
}
