/**
 * How long a plugin may take to answer its filters. Whoever builds a configuration waits for all of them, one after the
 * other: so one that has kept it waiting once is not waited for as long again for a while.
 */
import type { Filters } from './kit/filters.ts';

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
  /** When each was last late, by name. */
  readonly #late = new Map<string, number>();

  constructor(ms = CREATE_MS) {
    this.#ms = ms;
  }

  /** @throws Error when it is late. What comes then is disposed of. */
  async within<M extends Made>(name: string, making: Promise<M>): Promise<M> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const ms = this.#patience(name);
    const timer = setTimeout(() => {
      this.#late.set(name, performance.now());
      reject(new Error(`create has not answered after ${ms} ms`));
      void making.then(({ filters }) => filters.dispose?.()).catch(() => undefined);
    }, ms);
    try {
      const made = await Promise.race([making, late]);
      this.#late.delete(name);
      return made;
    } finally {
      clearTimeout(timer);
    }
  }

  #patience(name: string): number {
    const late = this.#late.get(name);
    const impatient = late !== undefined && performance.now() - late < LATELY_MS;
    return impatient ? Math.max(1, Math.round(this.#ms * IMPATIENT)) : this.#ms;
  }
}
