/**
 * The life of the workers: start, restart of the dead, drain, stop. What they serve is the publisher's business.
 */
import { monotonicMs } from '../lib/monotonic.ts';
import type { BlockedPlugin } from '../plugins/users/blocked.ts';
import { NO_BUNDLE, type PluginBundle } from '../plugins/users/live.ts';
import type { Settings } from '../settings/settings.ts';
import { DIRECTORY_KINDS } from '../entities/directory-kinds.ts';
import { DirectoryWriter } from '../zone/directory/writer.ts';
import { NodeSharedZone } from '../zone/shared/node-shared-zone.ts';
import { TicketKeyRing } from '../zone/ticket-keys.ts';
import { NodeTargets } from '../zone/targets/node-targets.ts';
import { HealthWriter } from '../zone/health/health-writer.ts';
import { CELL, NodeZone } from '../zone/worker-zone.ts';
import type { Log } from './log.ts';
import type { BrokenRoute } from './protocol.ts';
import { type Publication, Publisher, type PublisherTuning } from './publisher.ts';
import type { NameDesk } from './names/name-desk.ts';
import type { RecordDesk } from './record-desk.ts';
import { WorkerHandle, failureText } from './worker-handle.ts';

export interface SupervisorTuning extends PublisherTuning {
  /** Milliseconds before a dead worker is started again: `restartMs` the first time, and at most. */
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
  readonly records: RecordDesk;
  readonly names: NameDesk;
}

export interface WorkerReport {
  readonly id: number;
  readonly state: string;
  readonly revision: number;
}

export class Supervisor {
  readonly zone: NodeZone;
  readonly targets: NodeTargets;
  /** Consumers and credentials, for all workers. */
  readonly directory = new DirectoryWriter(DIRECTORY_KINDS);
  /** Keys of TLS session tickets, for all workers. */
  readonly #tickets = new TicketKeyRing();
  /** Of targets, for all workers. */
  readonly health: HealthWriter;
  /** Name of the user's plugin that stands in a worker's zone as running, or null. */
  runningPlugin: (cell: number) => string | null = () => null;
  /** Hears of errors of users' plugins that no request waits for. */
  onFault: (worker: number, plugin: string, error: string) => void = () => undefined;
  /** Users' plugins, and those of them that answer 503: what a worker that starts is given. */
  plugins: PluginBundle = NO_BUNDLE;
  blocked: readonly BlockedPlugin[] = [];
  /** What plugins of all workers share. */
  readonly shared: NodeSharedZone;
  /** Hears of each publication before workers serve it. Never fails. */
  follow: (next: Publication) => Promise<void> = () => Promise.resolve();
  readonly #log: Log;
  readonly #dataPlane: string | null;
  readonly #tuning: SupervisorTuning;
  readonly #records: RecordDesk;
  readonly #names: NameDesk;
  readonly #workers: WorkerHandle[] = [];
  readonly #failures: number[] = [];
  readonly #restarts = new Set<NodeJS.Timeout>();
  readonly #settings: Settings;
  readonly #publisher: Publisher;
  #stopping = false;

  constructor(options: SupervisorOptions) {
    this.#settings = options.settings;
    this.#log = options.log;
    this.#dataPlane = options.dataPlane;
    this.#tuning = options.tuning;
    this.#records = options.records;
    this.#names = options.names;
    this.#publisher = new Publisher(options.log, options.tuning, (next) => this.follow(next));
    this.zone = new NodeZone(options.settings.nginx_worker_processes);
    this.targets = new NodeTargets(options.settings.nginx_worker_processes);
    this.shared = new NodeSharedZone(options.settings.plugin_zone_size);
    this.health = new HealthWriter({ now: monotonicMs, oldestHeartbeat: () => this.#oldestHeartbeat() });
  }

  /** Starts the threads, which load while the configuration is being compiled. */
  spawn(): void {
    this.#tickets.rotateEvery(this.#settings.ssl_session_timeout);
    for (let id = 0; id < this.#settings.nginx_worker_processes; id++) {
      this.#failures.push(0);
      this.#workers.push(this.#spawn(id));
    }
  }

  /** Resolves when every worker serves the configuration on its listeners. @throws Error when one cannot. */
  async serve(first: Publication): Promise<void> {
    const filled = Promise.all([first.fill?.run(), this.follow(first)]).then(() => undefined);
    this.#publisher.begin(first, filled);
    const started = this.#workers.map(async (worker) => {
      const failure = await this.#bringUp(worker);
      if (failure !== null) throw new Error(`worker ${worker.id}: ${failure}`);
    });
    await Promise.all([filled, ...started]);
  }

  get revision(): number {
    return this.#publisher.current?.revision ?? 0;
  }

  get broken(): readonly BrokenRoute[] {
    return this.#publisher.broken;
  }

  get workers(): readonly WorkerHandle[] {
    return this.#workers;
  }

  /**
   * Every worker accepts connections with the current configuration, or takes it in this moment: one that does not take
   * it is no longer `running`.
   */
  get ready(): boolean {
    return (
      !this.#stopping &&
      this.#publisher.current !== null &&
      this.#workers.every((worker) => worker.state === 'running')
    );
  }

  report(): WorkerReport[] {
    const late = monotonicMs() - HEARTBEAT_LATE_MS;
    return this.#workers.map(({ id, state, revision }) => {
      const stalled = state === 'running' && this.zone.stripe(id).get(CELL.heartbeat) < late;
      return { id, state: stalled ? 'stalled' : state, revision };
    });
  }

  /** A worker that is dead, or has not begun, has none. */
  #oldestHeartbeat(): number {
    const beats = this.#workers.map(({ id }) => this.zone.stripe(id).get(CELL.heartbeat));
    return Math.min(...beats.filter((beat) => beat > 0));
  }

  /** As `Publisher.publish`, to all workers. */
  async publish(next: Publication): Promise<string[]> {
    this.#tickets.rotateEvery(next.settings.ssl_session_timeout);
    return await this.#publisher.publish(next, this.#workers);
  }

  /** From a thread that has just started to a worker that serves. Answers why it failed, or null. */
  async #bringUp(worker: WorkerHandle): Promise<string | null> {
    const online = await worker.online;
    if (!online.ok) return failureText(online);
    const behind = await this.#publisher.update(worker, 'starting');
    if (behind !== null) return behind;
    const listening = await worker.call({ type: 'listen' }, this.#tuning.callMs);
    if (!listening.ok) return failureText(listening);
    return await this.#publisher.update(worker, 'running');
  }

  #spawn(id: number): WorkerHandle {
    const feed = this.directory.open();
    const data = {
      workerId: id,
      settings: this.#publisher.current?.settings ?? this.#settings,
      zone: this.zone.buffer,
      tickets: this.#tickets.memory,
      targets: { buffer: this.targets.buffer, shape: this.targets.shape },
      health: this.health.buffer,
      shared: this.shared.buffer,
      nameUses: this.#names.uses,
      directory: { control: feed.control, port: feed.port },
      directoryKinds: DIRECTORY_KINDS,
      dataPlane: this.#dataPlane,
      plugins: this.plugins,
      blocked: this.blocked,
    };
    const onExit = (worker: WorkerHandle, error: unknown): void => {
      feed.close();
      this.#onExit(worker, error);
    };
    const onFault = (plugin: string, error: string): void => this.onFault(id, plugin, error);
    const heapMb = this.#settings.worker_heap_limit ?? this.#tuning.workerHeapMb;
    return new WorkerHandle(data, {
      heapMb,
      records: this.#records,
      names: this.#names,
      onExit,
      onFault,
    });
  }

  #onExit(worker: WorkerHandle, error: unknown): void {
    const running = this.runningPlugin(this.zone.stripe(worker.id).get(CELL.pluginRunning));
    this.zone.clearGauges(worker.id);
    this.targets.clearWorker(worker.id);
    this.shared.clearWorker(worker.id);
    if (this.#stopping) return;
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const suspect = running === null ? '' : ` (plugin ${running} was running)`;
    this.#log('crit', `worker ${worker.id} died${suspect}: ${text}`);
    if (this.#publisher.current === null || this.#workers[worker.id] !== worker) return;
    const lived = monotonicMs() - worker.startedAt;
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
    this.#tickets.close();
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
