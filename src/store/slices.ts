/** Long work on the main thread in slices: between two, the event loop runs. */

/** Milliseconds. */
const SLICE_MS = 4;

export class Slices {
  #end = performance.now() + SLICE_MS;

  get over(): boolean {
    return performance.now() >= this.#end;
  }

  async pause(): Promise<void> {
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
    this.#end = performance.now() + SLICE_MS;
  }

  /** Answers what the steps come to. */
  async run<T>(steps: Iterator<unknown, T>): Promise<T> {
    for (let step = steps.next(); ; step = steps.next()) {
      if (step.done === true) return step.value;
      if (this.over) await this.pause();
    }
  }
}
