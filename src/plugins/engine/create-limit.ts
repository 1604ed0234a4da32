/**
 * How long a plugin may take to answer its filters. Whoever builds a configuration waits for all of them, one after the
 * other: so one that has kept it waiting once is not waited for as long again for a while. That is said of code: a file that
 * was mended begins anew. And it is forgotten: what is merely slow is made again some day, also where configurations come
 * one after the other.
 */
import type { Filters } from '../kit/filters.ts';

/** Milliseconds that `create` may take. */
const CREATE_MS = 5000;
/** The share of that of a plugin that has not answered lately. */
const IMPATIENT = 0.02;
const LATELY_MS = 60_000;

interface Made {
  readonly filters: Filters;
}

export class CreateLimit {
  readonly #ms: number;
  /** When each was last late although it had all the time. */
  readonly #late = new WeakMap<object, number>();

  constructor(ms = CREATE_MS) {
    this.#ms = ms;
  }

  /** @param code whose `create` it is. @throws Error when it is late. What comes then is disposed of. */
  async within<M extends Made>(code: object, making: Promise<M>): Promise<M> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const ms = this.#patience(code);
    const timer = setTimeout(() => {
      if (ms === this.#ms) this.#late.set(code, performance.now());
      reject(new Error(`create has not answered after ${ms} ms`));
      void making.then(({ filters }) => filters.dispose?.()).catch(() => undefined);
    }, ms);
    try {
      const made = await Promise.race([making, late]);
      this.#late.delete(code);
      return made;
    } finally {
      clearTimeout(timer);
    }
  }

  #patience(code: object): number {
    const late = this.#late.get(code);
    const impatient = late !== undefined && performance.now() - late < LATELY_MS;
    return impatient ? Math.max(1, Math.round(this.#ms * IMPATIENT)) : this.#ms;
  }
}
