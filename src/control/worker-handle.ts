/** One worker thread as the main thread sees it: its life and calls to it. */
import { Worker } from 'node:worker_threads';
import { monotonicMs } from '../lib/monotonic.ts';
import type { Settings } from '../settings/settings.ts';
import { moduleUrl } from '../lib/module-url.ts';
import type { Command, FromWorker, Reply, ToWorker, WorkerData } from './protocol.ts';
import { stackOfThread } from './plugins/thread-stack.ts';
import type { NameDesk } from './names/name-desk.ts';
import type { RecordDesk } from './record-desk.ts';

/**
 * `starting` until it accepts connections, then `running`; `lagging` when it did not take a revision in time and
 * serves an older one.
 */
export type WorkerState = 'starting' | 'running' | 'lagging' | 'draining' | 'dead';

/** `timeout`: no answer yet. `gone`: the worker died, and of what. */
export type CallResult =
  | Reply
  | { readonly ok: false; readonly lost: 'timeout' }
  | { readonly ok: false; readonly lost: 'gone'; readonly error: unknown };

/**
 * Young generation of a worker, MiB: V8 makes three parts of it and rounds up to a power of two, so its semi-spaces have
 * up to 4 MiB each; they grow only when much survives. A body is read into buffers of up to 64 KiB that lie outside of the
 * heap and are freed with a few hundred bytes inside: in semi-spaces of 8 MiB and more so many of them may gather that V8
 * collects the whole heap. In smaller ones than these, requests over HTTP/2 in flight are copied again and again
 * (docs/adr/0017).
 */
const WORKER_YOUNG_GENERATION_MB = 12;

/** Called once, with the reason: an error of the thread, or how it ended. */
export type ExitListener = (handle: WorkerHandle, error: unknown) => void;

export interface WorkerOptions {
  /** MiB of JavaScript heap; null leaves it to Node. */
  readonly heapMb: number | null;
  readonly records: RecordDesk;
  readonly names: NameDesk;
  readonly onExit: ExitListener;
  /** A user's plugin has thrown where no request waits for it. */
  readonly onFault: (plugin: string, error: string) => void;
}

export class WorkerHandle {
  readonly id: number;
  state: WorkerState = 'starting';
  /** The revision it serves. */
  revision = 0;
  /** The settings that it has; null: not known. */
  settings: Settings | null;
  /** By `monotonicMs`. */
  readonly startedAt = monotonicMs();
  readonly #worker: Worker;
  readonly #calls = new Map<number, (result: CallResult) => void>();
  #nextCall = 1;
  /** What ended the thread. */
  #failure: unknown = null;
  #online: Promise<CallResult>;

  constructor(data: WorkerData, { heapMb, records, names, onExit, onFault }: WorkerOptions) {
    this.id = data.workerId;
    this.settings = data.settings;
    this.#worker = new Worker(moduleUrl('./worker-thread', import.meta.url), {
      name: `sluice worker ${data.workerId}`,
      workerData: data,
      transferList: [data.directory.port],
      resourceLimits: {
        maxYoungGenerationSizeMb: WORKER_YOUNG_GENERATION_MB,
        ...(heapMb === null ? {} : { maxOldGenerationSizeMb: heapMb }),
      },
    });
    this.#online = new Promise((resolve) => this.#calls.set(0, resolve));
    const post = (message: ToWorker): void => this.#worker.postMessage(message, []);
    const admitted = [records.admit(post), names.admit(post)];
    this.#worker.on('message', (message: FromWorker) => {
      if ('fault' in message) onFault(message.fault, message.error);
      else if ('ask' in message) void records.answer(message, post);
      else if ('name' in message) void names.answer(message.name, post);
      else this.#settle(message.call, message.reply);
    });
    this.#worker.on('error', (error: unknown) => {
      this.#failure = error;
    });
    this.#worker.on('exit', (code: number) => {
      this.state = 'dead';
      for (const one of admitted) one[Symbol.dispose]();
      this.#failure ??= new Error(`the thread ended with code ${code}`);
      for (const call of this.#calls.keys()) this.#settle(call, this.#gone());
      onExit(this, this.#failure);
    });
  }

  /** Resolves when the worker takes commands or has died. */
  get online(): Promise<CallResult> {
    return this.#online;
  }

  /** @param timeoutMs after which the answer is `timeout`; a later reply is dropped. */
  call(command: Command, timeoutMs: number): Promise<CallResult> {
    if (this.state === 'dead') return Promise.resolve(this.#gone());
    const call = this.#nextCall++;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#settle(call, { ok: false, lost: 'timeout' }), timeoutMs);
      this.#calls.set(call, (result) => {
        clearTimeout(timer);
        resolve(result);
      });
      this.#worker.postMessage({ call, command } satisfies ToWorker, []);
    });
  }

  /** Octets of the worker's JavaScript heap, or null when it does not answer soon. */
  async heapUsed(timeoutMs: number): Promise<number | null> {
    const late = new Promise<null>((resolve) => {
      setTimeout(resolve, timeoutMs, null).unref();
    });
    const statistics = this.#worker.getHeapStatistics().then(
      (heap) => heap.used_heap_size,
      () => null,
    );
    return await Promise.race([statistics, late]);
  }

  /** Its JavaScript stack at this moment; null when it cannot be interrupted, as an endless loop can be. */
  async stack(patienceMs: number): Promise<string | null> {
    const interrupted = await this.heapUsed(patienceMs);
    return interrupted === null ? null : stackOfThread(this.#worker.threadId);
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }

  #gone(): CallResult {
    return { ok: false, lost: 'gone', error: this.#failure };
  }

  #settle(call: number, result: CallResult): void {
    const resolve = this.#calls.get(call);
    this.#calls.delete(call);
    resolve?.(result);
  }
}

/** Why a call failed, in words. */
export function failureText(result: CallResult): string {
  if (result.ok) return 'done';
  if ('message' in result) return result.message;
  if (result.lost === 'timeout') return 'no answer in time';
  return `the worker died: ${result.error instanceof Error ? result.error.message : String(result.error)}`;
}
