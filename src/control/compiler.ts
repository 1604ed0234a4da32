/**
 * Runs jobs in compiler threads. Whatever happens to such a thread is the answer of its job, never more.
 *
 * A thread is made when a job finds none and ends some time after its last one, so that an idle gateway holds neither
 * a parser nor its garbage, while one that is reloaded again and again does not load and warm up the same code each
 * time: that takes longer than to compile 10,000 routes, and takes it from the traffic.
 */
import { Worker } from 'node:worker_threads';
import type {
  CompileFailure,
  CompileJob,
  Compiled,
  CompilerJob,
  CompilerReply,
  CompilerStart,
  Dumped,
} from './compile-job.ts';
import { moduleUrl } from '../lib/module-url.ts';
import { NO_BUNDLE, type PluginBundle } from '../plugins/users/live.ts';

export interface CompilerLimits {
  /** MiB of JavaScript heap. */
  readonly heapMb: number;
  /** For one job. */
  readonly timeoutMs: number;
  /** How long a thread waits for another job. */
  readonly keepMs: number;
  /** A thread whose heap has grown beyond this does not wait. */
  readonly keepBytes: number;
}

/** 100,000 routes in YAML with their parse tree take about 1 GiB at the peak. */
const COMPILER_LIMITS: CompilerLimits = {
  heapMb: 3072,
  timeoutMs: 120_000,
  keepMs: 30_000,
  keepBytes: 128 * 1024 * 1024,
};

/**
 * Nice value of a compilation beside traffic: about a tenth of a core that is full of requests. With the highest, a
 * gateway that is overloaded could not be told to do something else in time.
 */
const BESIDE_TRAFFIC = 10;

export class Compiler {
  readonly #limits: CompilerLimits;
  #waiting: Worker | null = null;
  #expiry: NodeJS.Timeout | undefined;

  constructor(limits: Partial<CompilerLimits> = {}) {
    this.#limits = { ...COMPILER_LIMITS, ...limits };
  }

  /** The configuration of a start: there is no traffic, everybody waits for it, and another may be long in coming. */
  async first(job: CompileJob): Promise<Compiled | CompileFailure> {
    return (await this.#run(this.#spawn(0), job, false)) as Compiled | CompileFailure;
  }

  async compile(job: CompileJob): Promise<Compiled | CompileFailure> {
    return (await this.#run(this.#take(), job, true)) as Compiled | CompileFailure;
  }

  async dump(
    image: SharedArrayBuffer | null,
    plugins: PluginBundle = NO_BUNDLE,
  ): Promise<Dumped | CompileFailure> {
    return (await this.#run(this.#take(), { type: 'dump', image, plugins }, true)) as Dumped | CompileFailure;
  }

  #take(): Worker {
    const thread = this.#waiting ?? this.#spawn(BESIDE_TRAFFIC);
    this.#waiting = null;
    clearTimeout(this.#expiry);
    return thread;
  }

  #spawn(nice: number): Worker {
    const thread = new Worker(moduleUrl('./compiler-thread', import.meta.url), {
      name: 'sluice compiler',
      workerData: { nice } satisfies CompilerStart,
      resourceLimits: { maxOldGenerationSizeMb: this.#limits.heapMb },
    });
    // A stop does not wait for it.
    thread.unref();
    // A job's own listener answers it; one that waits has nobody else who would mind.
    thread.on('error', () => undefined);
    thread.on('exit', () => {
      if (this.#waiting === thread) this.#waiting = null;
    });
    return thread;
  }

  #run(thread: Worker, job: CompilerJob, keep: boolean): Promise<CompilerReply['answer']> {
    const { timeoutMs } = this.#limits;
    const { promise, resolve } = Promise.withResolvers<CompilerReply['answer']>();
    const end = (answer: CompilerReply['answer']): void => {
      clearTimeout(timer);
      thread.off('message', onReply).off('error', onError).off('exit', onExit);
      resolve(answer);
    };
    const onReply = ({ answer, heapBytes }: CompilerReply): void => {
      end(answer);
      if (keep && heapBytes <= this.#limits.keepBytes) this.#keep(thread);
      else void thread.terminate();
    };
    const onError = (error: unknown): void => {
      const reason = error instanceof Error ? error.message : String(error);
      end(failure(500, `compiling the configuration failed: ${reason}`));
    };
    const onExit = (): void =>
      end(failure(500, 'compiling the configuration failed: the thread ended without an answer'));
    const timer = setTimeout(() => {
      end(failure(504, `compiling the configuration took more than ${timeoutMs / 1000} s`));
      void thread.terminate();
    }, timeoutMs);
    thread.on('message', onReply).on('error', onError).on('exit', onExit);
    thread.postMessage(job, []);
    return promise;
  }

  /** One waits; another that ends its job meanwhile is not needed. */
  #keep(thread: Worker): void {
    if (this.#waiting !== null) return void thread.terminate();
    this.#waiting = thread;
    this.#expiry = setTimeout(() => {
      this.#waiting = null;
      void thread.terminate();
    }, this.#limits.keepMs).unref();
  }
}

function failure(status: number, message: string): CompileFailure {
  return { ok: false, status, lines: [message], body: JSON.stringify({ message }) };
}
