/** Waiting for a condition of another process: by polling, since it sends no event. */
import { setTimeout as delay } from 'node:timers/promises';

export interface WaitOptions {
  /** Milliseconds until it is an error; 30,000 unless said. A bound against hanging, not a measurement. */
  readonly timeout?: number;
  /** Milliseconds between two looks; 10 unless said. */
  readonly interval?: number;
  /** What is waited for, for the error. */
  readonly what?: string;
}

/** Resolves to the first value of `look` that is neither undefined, null nor false. Errors of `look` are thrown at once. */
export async function waitFor<T>(
  look: () => T | Promise<T>,
  options: WaitOptions = {},
): Promise<Exclude<T, undefined | null | false>> {
  const limit = performance.now() + (options.timeout ?? 30_000);
  for (;;) {
    const value = await look();
    if (value !== undefined && value !== null && value !== false) {
      return value as Exclude<T, undefined | null | false>;
    }
    if (performance.now() > limit) throw new Error(`gave up waiting for ${options.what ?? 'a condition'}`);
    await delay(options.interval ?? 10);
  }
}
