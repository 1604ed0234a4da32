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

  async run(steps: Iterator<unknown>): Promise<void> {
    while (steps.next().done !== true) {
      if (this.over) await this.pause();
    }
  }
}
