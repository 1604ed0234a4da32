/**
 * From running to stopped: signals, the graceful end and the fast one.
 *
 * QUIT and `sluice quit` drain: workers accept no more and finish what is in flight within the grace time. TERM, INT
 * and `sluice stop` end at once. A second signal during either ends the process where it stands.
 *
 * A key on a terminal reaches the gateway twice: from the system, which sends it to the whole foreground group, and from
 * the launcher, which cannot know that (a shell is not told who sent a signal, and `kill -QUIT` to the launcher alone must
 * not be lost). So the same wish again within `ECHO_MS` is an echo of the first.
 */
import type { EventEmitter } from 'node:events';
import { InFlight } from './in-flight.ts';
import { blame } from '../plugins/users/blame.ts';
import type { MainLog } from './log.ts';
import type { Supervisor } from './supervisor.ts';

export type LifeState = 'starting' | 'running' | 'draining' | 'stopping';

/**
 * Grace time of SIGQUIT, milliseconds: nginx waits without end, an orchestrator kills after 30 s by default. `sluice
 * quit` says its own.
 */
const DEFAULT_GRACE_MS = 30_000;

const ECHO_MS = 500;

const EXIT_INTERNAL = 70;
/** 128 + SIGKILL's number would look like a crash to the launcher; an impatient user wanted this end. */
const EXIT_IMPATIENT = 0;

export class Life {
  state: LifeState = 'starting';
  /** Resolves when the workers have ended. */
  readonly stopped: Promise<void>;
  /** A graceful stop waits for them. */
  readonly writes = new InFlight();
  /** Set by `POST /status/ready`: load balancers shall leave, nothing else changes. */
  announcedDraining = false;
  readonly #supervisor: Supervisor;
  readonly #log: MainLog;
  readonly #listeners: Array<[string, (value: unknown) => void]> = [];
  #resolveStopped: () => void = () => undefined;
  #reload: () => void = () => undefined;
  #reloadWanted = false;
  #lastWish: { readonly graceMs: number; readonly at: number } | null = null;

  constructor(supervisor: Supervisor, log: MainLog) {
    this.#supervisor = supervisor;
    this.#log = log;
    this.stopped = new Promise((resolve) => {
      this.#resolveStopped = resolve;
    });
  }

  running(): void {
    if (this.state !== 'starting') return;
    this.state = 'running';
    if (this.#reloadWanted) this.#reload();
  }

  onSignals(reload: () => void): void {
    this.#on('SIGTERM', () => this.#onStopSignal('SIGTERM', 0));
    this.#on('SIGINT', () => this.#onStopSignal('SIGINT', 0));
    this.#on('SIGQUIT', () => this.#onStopSignal('SIGQUIT', DEFAULT_GRACE_MS));
    this.#reload = reload;
    this.#on('SIGHUP', () => this.#onHangUp());
    this.#on('SIGUSR1', () => void this.reopenLogs());
    this.#on('uncaughtException', (error) => this.#onCrash(error));
  }

  async reopenLogs(): Promise<void> {
    await Promise.all([this.#log.reopen(), this.#supervisor.reopenLogs()]);
    this.#log.log('notice', 'log files are open again');
  }

  /** @param waitMs time to go on as before, not ready, until load balancers have noticed. */
  async stop(graceMs: number, waitMs = 0): Promise<void> {
    // A fast end cuts a graceful one short.
    if (this.state === 'stopping' || (this.state === 'draining' && graceMs > 0)) return;
    this.state = graceMs > 0 ? 'draining' : 'stopping';
    if (waitMs > 0) {
      await new Promise((resolve) => {
        setTimeout(resolve, waitMs).unref();
      });
    }
    await Promise.all([this.#supervisor.stop(graceMs), this.writes.settled(graceMs)]);
    this.#log.log('notice', 'stopped');
    this.#resolveStopped();
  }

  dispose(): void {
    for (const [event, listener] of this.#listeners) (process as EventEmitter).off(event, listener);
  }

  #isEnding(): boolean {
    return this.state === 'draining' || this.state === 'stopping';
  }

  #on(event: NodeJS.Signals | 'uncaughtException', listener: (value: unknown) => void): void {
    this.#listeners.push([event, listener]);
    (process as EventEmitter).on(event, listener);
  }

  /** Whoever changed the file while it was being read for the start gets it read again. */
  #onHangUp(): void {
    if (this.#isEnding()) return;
    this.#log.log('notice', 'SIGHUP: reading the configuration again');
    if (this.state === 'running') this.#reload();
    else this.#reloadWanted = true;
  }

  #onStopSignal(signal: string, graceMs: number): void {
    const last = this.#lastWish;
    const now = performance.now();
    this.#lastWish = { graceMs, at: now };
    if (last !== null && last.graceMs === graceMs && now - last.at < ECHO_MS) return;
    if (this.#isEnding()) {
      this.#log.log('notice', `${signal} again: ending at once`);
      this.#log.flush();
      process.exit(EXIT_IMPATIENT);
    }
    this.#log.log('notice', `${signal}: ${graceMs > 0 ? 'stopping gracefully' : 'stopping'}`);
    void this.stop(graceMs);
  }

  /**
   * Nothing is known of the state of this thread any more; the launcher starts a new process. What a user's plugin has
   * begun when it was imported is its own, and nobody here waits for it.
   */
  #onCrash(error: unknown): void {
    const plugin = blame(error);
    if (plugin !== null)
      return this.#log.log('error', `plugin ${plugin} has thrown in the main thread: ${errorText(error)}`);
    const text = errorText(error);
    process.stderr.write(`sluice: internal error: ${text}\n`);
    this.#log.log('emerg', `internal error: ${text}`);
    this.#log.flush();
    process.exit(EXIT_INTERNAL);
  }
}

function errorText(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
