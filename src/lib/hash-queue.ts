/**
 * Slow hashes, one at a time in a thread of their own: neither the event loop nor libuv's threads, which files, names and
 * other cryptography wait for, ever work on one. The thread is made for the first hash and ends half a minute after the last.
 *
 * So many may wait and no more, and of one client a quarter of them: who guesses passwords does not keep others out. What comes
 * beyond is told at once (`HashQueueFull`). docs/adr/0035-passwords.md has the reasons.
 */
import { Worker } from 'node:worker_threads';
import { moduleUrl } from './module-url.ts';

export interface HashJob {
  readonly message: Uint8Array;
  readonly nonce: Uint8Array;
  readonly tagLength: number;
  /** KiB. */
  readonly memory: number;
  readonly passes: number;
  readonly parallelism: number;
}

/** What the thread answers: the hash, or why there is none. */
export type HashAnswer = Uint8Array | string;

/** As many wait as can be. */
export class HashQueueFull extends Error {
  override readonly name = 'HashQueueFull';

  constructor() {
    super('too many secrets wait to be hashed');
  }
}

export interface HashQueueOptions {
  /** Jobs, the one that is worked on included. */
  readonly max: number;
  readonly idleMs?: number;
}

interface Waiting {
  readonly client: string;
  readonly resolve: (hash: Buffer) => void;
  readonly reject: (error: Error) => void;
}

const IDLE_MS = 30_000;

export class HashQueue {
  readonly #max: number;
  readonly #share: number;
  readonly #idleMs: number;
  /** Answers come in the order of the jobs. */
  readonly #waiting: Waiting[] = [];
  readonly #clients = new Map<string, number>();
  #thread: Worker | null = null;
  #idle: NodeJS.Timeout | null = null;

  constructor({ max, idleMs = IDLE_MS }: HashQueueOptions) {
    this.#max = max;
    this.#share = Math.max(1, Math.floor(max / 4));
    this.#idleMs = idleMs;
  }

  /** @param client whose job it is; '' shares with nobody. @throws HashQueueFull (rejection) */
  run(job: HashJob, client = ''): Promise<Buffer> {
    const held = this.#clients.get(client) ?? 0;
    if (this.#waiting.length >= this.#max || (client !== '' && held >= this.#share)) {
      return Promise.reject(new HashQueueFull());
    }
    if (client !== '') this.#clients.set(client, held + 1);
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    this.#waiting.push({ client, resolve, reject });
    const thread = this.#take();
    thread.postMessage(job, []);
    return promise;
  }

  #take(): Worker {
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = null;
    this.#thread ??= this.#start();
    this.#thread.ref();
    return this.#thread;
  }

  #start(): Worker {
    const thread = new Worker(moduleUrl('./hash-thread', import.meta.url), {
      name: 'hashes',
      resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 },
    });
    thread.on('message', (answer: HashAnswer) => this.#settle(answer));
    const gone = (error: Error): void => {
      if (this.#thread !== thread) return;
      this.#thread = null;
      for (const one of this.#waiting.splice(0)) one.reject(error);
      this.#clients.clear();
    };
    thread.on('error', gone);
    thread.on('exit', () => gone(new Error('the thread of hashes has ended')));
    return thread;
  }

  #settle(answer: HashAnswer): void {
    const done = this.#waiting.shift();
    if (this.#waiting.length === 0) this.#rest();
    if (done === undefined) return;
    this.#release(done.client);
    if (typeof answer === 'string') done.reject(new Error(answer));
    else done.resolve(Buffer.from(answer.buffer, answer.byteOffset, answer.byteLength));
  }

  #release(client: string): void {
    const left = (this.#clients.get(client) ?? 0) - 1;
    if (left > 0) this.#clients.set(client, left);
    else this.#clients.delete(client);
  }

  #rest(): void {
    const thread = this.#thread;
    thread?.unref();
    this.#idle = setTimeout(() => {
      if (this.#waiting.length > 0) return;
      this.#thread = null;
      void thread?.terminate();
    }, this.#idleMs).unref();
  }
}
