/**
 * A server in a child process, in a process group of its own so that nothing that it started outlives it.
 * Whatever is still alive when this process ends (also by a signal, which is how the test runner ends a file that
 * takes too long) is killed.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** Bytes of output kept: enough for a failure's report, bounded for a server that talks without end. */
const OUTPUT_LIMIT = 1 << 20;

const live = new Set<number>();

function killGroup(pid: number, signal: NodeJS.Signals): void {
  if (pid <= 0) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // The group is gone already.
  }
}

function killAll(): void {
  for (const pid of live) killGroup(pid, 'SIGKILL');
  live.clear();
}

process.on('exit', killAll);
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  process.once(signal, () => {
    killAll();
    process.kill(process.pid, signal);
  });
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ChildOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** It reads what `write` says; without this its input is empty. */
  readonly stdin?: boolean;
}

export class Child {
  readonly pid: number;
  /** Settles when the process has ended and its output is complete; it never rejects. */
  readonly exited: Promise<Exit>;
  #process: ChildProcess;
  #output = '';
  #exit: Exit | null = null;

  constructor(command: string, args: readonly string[], options: ChildOptions = {}) {
    const { stdin = false, ...rest } = options;
    this.#process = spawn(command, args, {
      ...rest,
      stdio: [stdin ? 'pipe' : 'ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const { pid, stdout, stderr } = this.#process;
    this.pid = pid ?? -1;
    if (pid !== undefined) live.add(pid);
    // What it started may still hold its output open: it goes with it.
    this.#process.on('exit', () => killGroup(this.pid, 'SIGKILL'));
    for (const stream of [stdout, stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-OUTPUT_LIMIT);
      });
    }
    this.exited = this.#awaitExit();
  }

  async #awaitExit(): Promise<Exit> {
    try {
      await once(this.#process, 'close');
      this.#exit = { code: this.#process.exitCode, signal: this.#process.signalCode };
    } catch (error) {
      // It could not be started at all.
      this.#output += `${String(error)}\n`;
      this.#exit = { code: null, signal: null };
    }
    live.delete(this.pid);
    return this.#exit;
  }

  /** To its standard input. */
  write(text: string): void {
    this.#process.stdin?.write(text);
  }

  /** Standard output and error so far, interleaved as they came. */
  get output(): string {
    return this.#output;
  }

  /** How it ended, or null while it runs. */
  get exit(): Exit | null {
    return this.#exit;
  }

  /** Sends a signal to the process alone (not its group), as an operator would. */
  kill(signal: NodeJS.Signals): void {
    if (this.#exit === null) this.#process.kill(signal);
  }

  /** Sends `signal`, and kills the whole group when it has not ended after `grace` milliseconds. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', grace = 30_000): Promise<Exit> {
    this.kill(signal);
    const timer = setTimeout(() => killGroup(this.pid, 'SIGKILL'), grace);
    try {
      return await this.exited;
    } finally {
      clearTimeout(timer);
    }
  }
}
