/**
 * A process that writes without pause and is killed for it. It loads its code first and says `ready`; told to go, it
 * prints a line for each write that was acknowledged. So the next one can be loading while this one writes.
 */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';

export interface When {
  /** Lines to wait for, and milliseconds after that. */
  readonly lines: number;
  readonly ms: number;
}

export class Victim {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #closed: Promise<unknown>;
  #output = '';
  #errors = '';
  #onLine: () => void = () => undefined;

  /** @param cache folder for compiled code, which makes starts cheap. */
  constructor(script: string, args: readonly string[], cache: string) {
    this.#process = spawn(process.execPath, [script, ...args], {
      env: { ...process.env, NODE_COMPILE_CACHE: cache },
    });
    process.once('exit', this.#killed);
    this.#closed = once(this.#process, 'close').finally(() => process.off('exit', this.#killed));
    this.#process.stdin.on('error', () => undefined);
    this.#process.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text;
      this.#onLine();
    });
    this.#process.stderr.setEncoding('utf8').on('data', (text: string) => (this.#errors += text));
  }

  /** Lets it write until the moment has come. Answers what it had acknowledged. */
  async run(until: When): Promise<string[]> {
    await this.#lines(1);
    this.#process.stdin.write('go\n');
    await this.#lines(1 + until.lines);
    await delay(until.ms);
    await this.kill();
    if (this.#errors !== '') throw new Error(this.#errors);
    return this.#whole().slice(1);
  }

  async kill(): Promise<void> {
    this.#killed();
    await this.#closed;
  }

  readonly #killed = (): void => {
    this.#process.kill('SIGKILL');
  };

  /** Half a line was not said. */
  #whole(): string[] {
    return this.#output.split('\n').slice(0, -1);
  }

  async #lines(count: number): Promise<void> {
    while (this.#whole().length < count && this.#process.exitCode === null && this.#errors === '') {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#onLine = resolve;
      await Promise.race([promise, this.#closed]);
    }
  }
}

/** Victims one after the other, of which some are loading already. */
export class Victims implements AsyncDisposable {
  readonly #make: () => Victim;
  readonly #loading: Victim[];

  constructor(make: () => Victim, ahead = 3) {
    this.#make = make;
    this.#loading = Array.from({ length: ahead }, make);
  }

  next(): Victim {
    this.#loading.push(this.#make());
    return this.#loading.shift() ?? this.#make();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#loading.map((victim) => victim.kill()));
  }
}
