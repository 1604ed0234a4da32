/**
 * The life of the workers: start, publish a configuration to them, restart the dead, drain, stop.
 *
 * A publication has two steps. First every running worker builds the new snapshot beside the one it serves; only when
 * none of them fails are they told to serve it. So a configuration that cannot be built changes nothing anywhere. A
 * worker that does not build it in time is left behind (`lagging`), named in the answer, and brought up to date as
 * soon as it answers again.
 */
import type { Settings } from '../settings/settings.ts';
import type { RouterFlavor } from '../router/router.ts';
import { CELL, NodeZone } from '../zone/worker-zone.ts';
import type { Log } from './log.ts';
import type { BrokenRoute } from './protocol.ts';
import { type CallResult, WorkerHandle, failureText } from './worker-handle.ts';

/** What all workers shall serve. */
export interface Publication {
  readonly revision: number;
  readonly flavor: RouterFlavor;
  /** The whole configuration; null is the empty one, which is revision 0. */
  readonly image: SharedArrayBuffer | null;
  /** What leads there from the current revision, when that is known. */
  readonly delta: SharedArrayBuffer | null;
  readonly settings: Settings;
}

export interface SupervisorTuning {
  /** Milliseconds that a worker may take to build a snapshot before the others go on without it. */
  readonly prepareMs: number;
  /** Milliseconds for calls that take no time of their own. */
  readonly callMs: number;
  /** Milliseconds before a dead worker is started again: the first time, and at most. */
  readonly restartMs: number;
  readonly maxRestartMs: number;
  /** MiB of JavaScript heap of a worker; null is Node's own choice, which follows the machine's memory. */
  readonly workerHeapMb: number | null;
}

export const DEFAULT_TUNING: SupervisorTuning = {
  prepareMs: 30_000,
  callMs: 5000,
  restartMs: 50,
  maxRestartMs: 10_000,
  workerHeapMb: null,
};

/** A worker that lived this long starts its back-off anew. */
const HEALTHY_MS = 60_000;

/** A worker whose heartbeat is older has stopped answering. */
const HEARTBEAT_LATE_MS = 2000;

export interface SupervisorOptions {
  readonly settings: Settings;
  readonly log: Log;
  readonly dataPlane: string | null;
  readonly tuning: SupervisorTuning;
}

export interface WorkerReport {
  readonly id: number;
  readonly state: string;
  readonly revision: number;
}

export class Supervisor {
  readonly zone: NodeZone;
  readonly #log: Log;
  readonly #dataPlane: string | null;
  readonly #tuning: SupervisorTuning;
  readonly #workers: WorkerHandle[] = [];
  readonly #failures: number[] = [];
  readonly #restarts = new Set<NodeJS.Timeout>();
  #settings: Settings;
  #current: Publication | null = null;
  #broken: readonly BrokenRoute[] = [];
  #stopping = false;

  constructor(options: SupervisorOptions) {
    this.#settings = options.settings;
    this.#log = options.log;
    this.#dataPlane = options.dataPlane;
    this.#tuning = options.tuning;
    this.zone = new NodeZone(options.settings.nginx_worker_processes);
  }

  /** Starts the threads, which load while the configuration is being compiled. */
  spawn(): void {
    for (let id = 0; id < this.#settings.nginx_worker_processes; id++) {
      this.#failures.push(0);
      this.#workers.push(this.#spawn(id));
    }
  }

  /** Resolves when every worker serves the configuration on its listeners. @throws Error when one cannot. */
  async serve(first: Publication): Promise<void> {
    this.#current = first;
    await Promise.all(
      this.#workers.map(async (worker) => {
        const failure = await this.#bringUp(worker);
        if (failure !== null) throw new Error(`worker ${worker.id}: ${failure}`);
      }),
    );
  }

  get revision(): number {
    return this.#current?.revision ?? 0;
  }

  get broken(): readonly BrokenRoute[] {
    return this.#broken;
  }

  get workers(): readonly WorkerHandle[] {
    return this.#workers;
  }

  /** Every worker accepts connections with the current configuration. */
  get ready(): boolean {
    return (
      !this.#stopping &&
      this.#current !== null &&
      this.#workers.every((worker) => worker.state === 'running' && worker.revision === this.revision)
    );
  }

  report(): WorkerReport[] {
    const late = Date.now() - HEARTBEAT_LATE_MS;
    return this.#workers.map(({ id, state, revision }) => {
      const stalled = state === 'running' && this.zone.stripe(id).get(CELL.heartbeat) < late;
      return { id, state: stalled ? 'stalled' : state, revision };
    });
  }

  /**
   * @returns warnings: workers that do not serve the new revision yet.
   * @throws Error when a worker cannot build it; then nothing has changed.
   */
  async publish(next: Publication): Promise<string[]> {
    const live = this.#workers.filter((worker) => worker.state === 'running');
    const changed = next.revision !== this.revision;
    const results = changed
      ? await Promise.all(live.map((worker) => this.#prepare(worker, next)))
      : live.map((): CallResult => ({ ok: true }));
    for (const [index, result] of results.entries()) {
      if (!result.ok && 'message' in result) {
        throw new Error(
          `worker ${String(live[index]?.id)} cannot build the configuration: ${result.message}`,
        );
      }
    }
    this.#current = next;
    this.#settings = next.settings;
    const warnings = await Promise.all(
      live.map((worker, index) => this.#finish(worker, next, results[index]!)),
    );
    return warnings.filter((warning) => warning !== null);
  }

  /** Second step of a publication for one worker. Answers a warning when it stays behind. */
  async #finish(worker: WorkerHandle, next: Publication, prepared: CallResult): Promise<string | null> {
    let result = prepared;
    if (result.ok) {
      if (result.broken !== undefined) this.#noteBroken(result.broken);
      result = await this.#commit(worker, next);
    }
    if (result.ok || ('lost' in result && result.lost === 'gone')) return null;
    worker.state = 'lagging';
    void this.#catchUp(worker);
    const warning = `worker ${worker.id} does not serve revision ${next.revision} yet: ${failureText(result)}`;
    this.#log('warn', warning);
    return warning;
  }

  async #prepare(worker: WorkerHandle, next: Publication): Promise<CallResult> {
    const { flavor } = next;
    if (next.delta !== null) {
      const result = await worker.call(
        { type: 'prepare', image: next.delta, flavor },
        this.#tuning.prepareMs,
      );
      if (result.ok || !('stale' in result) || !result.stale) return result;
    }
    if (next.image === null) return { ok: false, stale: false, message: 'there is no image' };
    return await worker.call({ type: 'prepare', image: next.image, flavor }, this.#tuning.prepareMs);
  }

  async #commit(worker: WorkerHandle, next: Publication): Promise<CallResult> {
    const { revision, settings } = next;
    const result = await worker.call({ type: 'commit', revision, settings }, this.#tuning.callMs);
    if (result.ok) worker.revision = revision;
    return result;
  }

  /** From a thread that has just started to a worker that serves. Answers why it failed, or null. */
  async #bringUp(worker: WorkerHandle): Promise<string | null> {
    const online = await worker.online;
    if (!online.ok) return failureText(online);
    const behind = await this.#update(worker);
    if (behind !== null) return behind;
    const listening = await worker.call({ type: 'listen' }, this.#tuning.callMs);
    if (!listening.ok) return failureText(listening);
    const failure = await this.#update(worker);
    if (failure === null && !this.#stopping) worker.state = 'running';
    return failure;
  }

  /** Whole images until the worker serves the current revision with the current settings. */
  async #update(worker: WorkerHandle): Promise<string | null> {
    for (;;) {
      const target = this.#current;
      if (target === null) return 'there is no configuration';
      if (worker.revision !== target.revision) {
        const prepared = await this.#prepare(worker, { ...target, delta: null });
        if (!prepared.ok) return failureText(prepared);
        this.#noteBroken(prepared.broken ?? []);
      }
      const committed = await this.#commit(worker, target);
      if (!committed.ok) return failureText(committed);
      if (target === this.#current) return null;
    }
  }

  /** For a worker that was left behind: again and again until it is up to date or dead. */
  async #catchUp(worker: WorkerHandle): Promise<void> {
    while (worker.state === 'lagging') {
      const failure = await this.#update(worker);
      if (failure === null && worker.state === 'lagging') {
        worker.state = 'running';
        this.#log('notice', `worker ${worker.id} serves revision ${worker.revision} now`);
      } else {
        await delay(this.#tuning.restartMs);
      }
    }
  }

  #noteBroken(broken: readonly BrokenRoute[]): void {
    const known = new Set(this.#broken.map(({ id }) => id));
    this.#broken = broken;
    for (const { id, reason } of broken) {
      if (!known.has(id)) this.#log('error', `route ${id} answers 503: ${reason}`);
    }
  }

  #spawn(id: number): WorkerHandle {
    const data = {
      workerId: id,
      settings: this.#settings,
      zone: this.zone.buffer,
      dataPlane: this.#dataPlane,
    };
    const onExit = (worker: WorkerHandle, error: unknown): void => this.#onExit(worker, error);
    return new WorkerHandle(data, this.#tuning.workerHeapMb, onExit);
  }

  #onExit(worker: WorkerHandle, error: unknown): void {
    this.zone.clearGauges(worker.id);
    if (this.#stopping) return;
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#log('crit', `worker ${worker.id} died: ${text}`);
    if (this.#current === null || this.#workers[worker.id] !== worker) return;
    const lived = Date.now() - worker.startedAt;
    const failures = lived > HEALTHY_MS ? 0 : this.#failures[worker.id]!;
    this.#failures[worker.id] = failures + 1;
    const wait = Math.min(this.#tuning.restartMs * 2 ** failures, this.#tuning.maxRestartMs);
    const timer = setTimeout(() => {
      this.#restarts.delete(timer);
      void this.#restart(worker.id);
    }, wait);
    this.#restarts.add(timer);
  }

  async #restart(id: number): Promise<void> {
    const worker = this.#spawn(id);
    this.#workers[id] = worker;
    const failure = await this.#bringUp(worker);
    if (this.#stopping || worker.state === 'dead') return;
    if (failure === null) {
      this.#log('notice', `worker ${id} is back with revision ${worker.revision}`);
      return;
    }
    this.#log('error', `worker ${id} cannot start: ${failure}`);
    await worker.terminate();
  }

  async reopenLogs(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.call({ type: 'reopen' }, this.#tuning.callMs)));
  }

  /** Stops accepting, lets what is in flight end within the grace time, then ends the threads. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    for (const timer of this.#restarts) clearTimeout(timer);
    await Promise.all(
      this.#workers.map(async (worker) => {
        if (worker.state !== 'dead') worker.state = 'draining';
        await worker.call({ type: 'drain', graceMs }, graceMs + this.#tuning.callMs);
        await worker.terminate();
      }),
    );
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
