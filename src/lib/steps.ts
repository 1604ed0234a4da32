/** Work that can be left off after each step, for others to run; its answer is at the end. */
export type Steps<R> = Generator<unknown, R, void>;

/** All steps at once. */
export function finish<R>(steps: Steps<R>): R {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
