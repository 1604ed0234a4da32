import { performance } from 'node:perf_hooks';

/**
 * Milliseconds of a clock that nobody sets, from a beginning of its own. It is the same in all threads, which
 * `performance.now()` is not.
 */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

/** The same clock for who asks it with every request: `process.hrtime` makes an array of each answer. */
export function monotonicClock(): () => number {
  const offset = monotonicMs() - performance.now();
  return () => performance.now() + offset;
}
