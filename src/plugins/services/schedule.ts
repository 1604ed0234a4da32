/** Work that a plugin has done again and again. One that still runs is not begun again; nothing keeps the process alive. */

export type Task = () => void | Promise<void>;

/** Milliseconds: the least and the most between two calls. */
const LEAST = 10;
const MOST = 2 ** 31 - 1;

export class Schedule implements Disposable {
  readonly #failed: (error: unknown) => void;
  readonly #timers = new Set<NodeJS.Timeout>();
  #over = false;

  /** @param failed called with what a task throws. */
  constructor(failed: (error: unknown) => void) {
    this.#failed = failed;
  }

  /** @param mayRun asked before each call. @throws RangeError */
  every(ms: number, task: Task, mayRun: () => boolean = () => true): void {
    if (!(ms >= LEAST && ms <= MOST))
      throw new RangeError(`every: ${ms} is not ${LEAST} to ${MOST} milliseconds`);
    if (this.#over) return;
    let running = false;
    const run = async (): Promise<void> => {
      running = true;
      try {
        await task();
      } catch (error) {
        this.#failed(error);
      } finally {
        running = false;
      }
    };
    this.#timers.add(
      setInterval(() => {
        if (!running && mayRun()) void run();
      }, ms).unref(),
    );
  }

  [Symbol.dispose](): void {
    this.#over = true;
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers.clear();
  }
}
