/**
 * Notices a user's plugin that keeps a worker from everything else. Nothing in one process prevents that, but it can be seen:
 *
 * - in the zone, where each call of a filter of a user's plugin says that it runs (`plugins/users/create.ts`): after
 *   `TOLD_MS` the plugin is named;
 * - where no such call runs (what comes after an `await`, a timer), by a heartbeat that is late: the worker is then
 *   interrupted, which even an endless loop can be, and the modules in its stack say whose it is.
 *
 * Past the limit the caller is told, once for each worker and block.
 */
import { monotonicMs } from '../../lib/monotonic.ts';
import { pluginOfStack } from '../../plugins/users/blame.ts';
import { CELL, type WorkerZone } from '../../zone/worker-zone.ts';
import type { Log } from '../log.ts';
import type { Supervisor } from '../supervisor.ts';
import type { WorkerHandle } from '../worker-handle.ts';

const LOOK_MS = 25;
/** Milliseconds after which a filter that has not returned is named. */
const TOLD_MS = 100;
/** A worker beats every 250 ms. */
const LATE_MS = 600;
const SAMPLE_EVERY_MS = 1000;
const SAMPLE_PATIENCE_MS = 500;

export interface WatchdogOptions {
  readonly supervisor: Supervisor;
  readonly log: Log;
  /** Of what stands in `CELL.pluginRunning`. */
  readonly named: (cell: number) => string | null;
  /** Milliseconds; 0: none. */
  readonly limitMs: () => number;
  readonly pastLimit: (worker: WorkerHandle, plugin: string, ms: number) => void;
}

/** What one worker was doing when it was looked at last. */
interface Seen {
  worker: WorkerHandle;
  calls: number;
  since: number;
  /** Named already; null: not yet. */
  plugin: string | null;
  /** When its stack was looked at last. */
  sampled: number;
  ended: boolean;
}

export class Watchdog implements Disposable {
  readonly #options: WatchdogOptions;
  readonly #seen = new Map<number, Seen>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: WatchdogOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const { supervisor } = this.#options;
    const now = monotonicMs();
    for (const worker of supervisor.workers) {
      if (worker.state !== 'running' && worker.state !== 'lagging') continue;
      this.#lookAt(worker, supervisor.zone.stripe(worker.id), now);
    }
  }

  #lookAt(worker: WorkerHandle, zone: WorkerZone, now: number): void {
    const running = zone.get(CELL.pluginRunning);
    const calls = zone.get(CELL.pluginCalls);
    const beat = zone.get(CELL.heartbeat);
    const stands = running !== 0 || now - beat >= LATE_MS;
    let seen = this.#seen.get(worker.id);
    if (seen === undefined || !stands || seen.worker !== worker || seen.calls !== calls) {
      if (seen !== undefined && seen.worker === worker) this.#goesOn(seen, now);
      seen = {
        worker,
        calls,
        since: stands && running === 0 ? beat : now,
        plugin: null,
        sampled: -Infinity,
        ended: false,
      };
      this.#seen.set(worker.id, seen);
      if (!stands || running !== 0) return;
    }
    if (seen.plugin === null && running === 0) void this.#sample(seen, now);
    else if (seen.plugin === null && now - seen.since >= TOLD_MS) {
      this.#tell(seen, this.#options.named(running), now - seen.since);
    }
    this.#judge(seen, now);
  }

  #judge(seen: Seen, now: number): void {
    const limit = this.#options.limitMs();
    const ms = now - seen.since;
    if (limit === 0 || ms < limit || seen.plugin === null || seen.ended) return;
    seen.ended = true;
    this.#options.pastLimit(seen.worker, seen.plugin, Math.round(ms));
  }

  /** Looks once a second: what stands still may come to the plugin's code later. */
  async #sample(seen: Seen, now: number): Promise<void> {
    if (now - seen.sampled < SAMPLE_EVERY_MS) return;
    seen.sampled = now;
    const stack = await seen.worker.stack(SAMPLE_PATIENCE_MS);
    if (stack === null || this.#seen.get(seen.worker.id) !== seen || seen.plugin !== null) return;
    this.#tell(seen, pluginOfStack(stack), monotonicMs() - seen.since);
  }

  #tell(seen: Seen, plugin: string | null, ms: number): void {
    if (plugin === null) return;
    seen.plugin = plugin;
    this.#options.log(
      'warn',
      `plugin ${plugin} keeps worker ${seen.worker.id} from everything else, for ${Math.round(ms)} ms by now`,
    );
  }

  #goesOn(seen: Seen, now: number): void {
    if (seen.plugin === null || seen.ended) return;
    const ms = Math.round(now - seen.since);
    this.#options.log(
      'notice',
      `worker ${seen.worker.id} goes on: plugin ${seen.plugin} kept it for ${ms} ms`,
    );
  }
}
