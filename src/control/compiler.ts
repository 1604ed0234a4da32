/** Runs one job in a compiler thread of its own. Whatever happens to that thread is an answer, never more. */
import { Worker } from 'node:worker_threads';
import type { CompileFailure, CompileJob, Compiled, CompilerJob, Dumped } from './compile-job.ts';
import { moduleUrl } from './module-url.ts';

export interface CompilerLimits {
  /** MiB of JavaScript heap. */
  readonly heapMb: number;
  readonly timeoutMs: number;
}

/** 100,000 routes in YAML with their parse tree take about 1 GiB at the peak. */
const COMPILER_LIMITS: CompilerLimits = { heapMb: 3072, timeoutMs: 120_000 };

export function compile(job: CompileJob, limits = COMPILER_LIMITS): Promise<Compiled | CompileFailure> {
  return run<Compiled>(job, limits);
}

export function dump(
  image: SharedArrayBuffer | null,
  limits = COMPILER_LIMITS,
): Promise<Dumped | CompileFailure> {
  return run<Dumped>({ type: 'dump', image }, limits);
}

function run<Success>(job: CompilerJob, limits: CompilerLimits): Promise<Success | CompileFailure> {
  return new Promise((resolve) => {
    const thread = new Worker(moduleUrl('./compiler-thread', import.meta.url), {
      name: 'sluice compiler',
      workerData: job,
      resourceLimits: { maxOldGenerationSizeMb: limits.heapMb },
    });
    // A stop does not wait for it.
    thread.unref();
    const fail = (status: number, message: string): void => {
      resolve({ ok: false, status, lines: [message], body: JSON.stringify({ message }) });
    };
    const timer = setTimeout(() => {
      fail(504, `compiling the configuration took more than ${limits.timeoutMs / 1000} s`);
      void thread.terminate();
    }, limits.timeoutMs);
    thread.once('message', (answer: Success) => resolve(answer));
    thread.once('error', (error: unknown) => {
      fail(
        500,
        `compiling the configuration failed: ${error instanceof Error ? error.message : String(error)}`,
      );
    });
    thread.once('exit', () => {
      clearTimeout(timer);
      fail(500, 'compiling the configuration failed: the thread ended without an answer');
    });
  });
}
