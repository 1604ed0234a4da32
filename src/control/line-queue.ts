/** Jobs one after the other, in the order of their arrival, with a bound on how many wait. */
export class LineQueue {
  readonly #maxWaiting: number;
  #tail: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(maxWaiting: number) {
    this.#maxWaiting = maxWaiting;
  }

  /** @param full what a job answers that finds too many before it. */
  run<T>(job: () => Promise<T>, full: () => T | Promise<T>): Promise<T> {
    if (this.#waiting > this.#maxWaiting) return Promise.resolve(full());
    this.#waiting += 1;
    const result = this.#tail.then(job).finally(() => {
      this.#waiting -= 1;
    });
    this.#tail = result.catch(() => undefined);
    return result;
  }
}
