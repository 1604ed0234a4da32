/**
 * Brings configurations to the workers.
 *
 * A publication has two steps. First every running worker builds the new snapshot beside the one it serves; only when
 * none of them fails are they told to serve it. So a configuration that cannot be built changes nothing anywhere. A
 * worker that does not build it in time is left behind (`lagging`), named in the answer, and brought up to date as
 * soon as it answers again. A worker that starts meanwhile is `running` only in the moment in which it serves what is
 * current, and one that became it before the second step is taken along there.
 */
import type { Settings } from '../settings/settings.ts';
import type { RouterFlavor } from '../router/router.ts';
import type { Log } from './log.ts';
import type { BrokenRoute } from './protocol.ts';
import { type CallResult, type WorkerHandle, failureText } from './worker-handle.ts';

/** What all workers shall serve. */
export interface Publication {
  readonly revision: number;
  readonly flavor: RouterFlavor;
  /** The whole configuration, made when it is asked for; null is the empty one, which is revision 0. */
  readonly image: () => Promise<SharedArrayBuffer | null>;
  /** What leads there from the current revision, when that is known. */
  readonly delta: SharedArrayBuffer | null;
  /** Brings what the workers share (the directory) to this revision. */
  readonly fill: {
    readonly run: () => Promise<void>;
    /**
     * Before the first step: what a store has committed holds, whether or not workers can build the rest, and a key that
     * was revoked is not taken while they try. Between the two steps: a configuration that is refused changes nothing.
     */
    readonly when: 'first' | 'between';
  } | null;
  readonly settings: Settings;
}

export interface PublisherTuning {
  /** Milliseconds that a worker may take to build a snapshot before the others go on without it. */
  readonly prepareMs: number;
  /** Milliseconds for calls that take no time of their own. */
  readonly callMs: number;
  /** Milliseconds between two tries with a worker that was left behind. */
  readonly restartMs: number;
}

export class Publisher {
  readonly #log: Log;
  readonly #tuning: PublisherTuning;
  readonly #follow: (next: Publication) => Promise<void>;
  #current: Publication | null = null;
  #filled: Promise<void> = Promise.resolve();
  #broken: readonly BrokenRoute[] = [];

  /** @param follow hears of each publication that workers are about to serve. */
  constructor(
    log: Log,
    tuning: PublisherTuning,
    follow: (next: Publication) => Promise<void> = () => Promise.resolve(),
  ) {
    this.#log = log;
    this.#follow = follow;
    this.#tuning = tuning;
  }

  /** Null before the first. */
  get current(): Publication | null {
    return this.#current;
  }

  get broken(): readonly BrokenRoute[] {
    return this.#broken;
  }

  /** The one that the workers start with: they build it while what they share is filled, and serve it afterwards. */
  begin(first: Publication, filled: Promise<void>): void {
    this.#current = first;
    this.#filled = filled;
  }

  /**
   * @returns warnings: workers that do not serve the new revision yet.
   * @throws Error when a worker cannot build it, or what they share has no room for it; then they serve on what they did.
   */
  async publish(next: Publication, workers: readonly WorkerHandle[]): Promise<string[]> {
    const live = workers.filter((worker) => worker.state === 'running');
    const changed = next.revision !== this.#current?.revision;
    const fill = changed ? next.fill : null;
    if (fill?.when === 'first') await fill.run();
    const prepared = await Promise.all(
      live.map(async (worker) => ({
        worker,
        result: changed ? await this.#prepare(worker, next) : ({ ok: true } as const),
      })),
    );
    for (const { worker, result } of prepared) {
      if (!result.ok && 'message' in result) {
        throw new Error(`worker ${worker.id} cannot build the configuration: ${result.message}`);
      }
    }
    if (fill?.when === 'between') await fill.run();
    if (changed) await this.#follow(next);
    this.#current = next;
    const warnings = await Promise.all([
      ...prepared.map(({ worker, result }) => this.#finish(worker, next, result)),
      ...workers.filter((worker) => !live.includes(worker)).map((worker) => this.#takeAlong(worker)),
    ]);
    return warnings.filter((warning) => warning !== null);
  }

  /** Whole images until the worker serves what is current; then it is in `state`. Answers why it failed, or null. */
  async update(worker: WorkerHandle, state: 'starting' | 'running'): Promise<string | null> {
    for (;;) {
      const target = this.#current;
      if (target === null) return 'there is no configuration';
      if (worker.revision !== target.revision) {
        const prepared = await this.#prepare(worker, { ...target, delta: null });
        if (!prepared.ok) return failureText(prepared);
        this.#noteBroken(prepared.broken ?? []);
      }
      await this.#filled;
      const committed = await this.#commit(worker, target);
      if (!committed.ok) return failureText(committed);
      if (target !== this.#current) continue;
      if (worker.state === 'starting' || worker.state === 'lagging') worker.state = state;
      return null;
    }
  }

  /** Second step of a publication for one worker. Answers a warning when it stays behind. */
  async #finish(worker: WorkerHandle, next: Publication, prepared: CallResult): Promise<string | null> {
    let result = prepared;
    if (result.ok) {
      if (result.broken !== undefined) this.#noteBroken(result.broken);
      result = await this.#commit(worker, next);
    }
    if (result.ok || ('lost' in result && result.lost === 'gone')) return null;
    return this.#leaveBehind(worker, failureText(result));
  }

  /** A worker that was not running when the publication began. One that starts looks itself for what is current. */
  async #takeAlong(worker: WorkerHandle): Promise<string | null> {
    if (worker.state === 'lagging') return this.#behind(worker, 'it has not answered for a while');
    if (worker.state !== 'running') return null;
    const failure = await this.update(worker, 'running');
    return failure === null ? null : this.#leaveBehind(worker, failure);
  }

  #leaveBehind(worker: WorkerHandle, reason: string): string | null {
    if (worker.state !== 'running') return null;
    worker.state = 'lagging';
    void this.#catchUp(worker);
    return this.#behind(worker, reason);
  }

  #behind(worker: WorkerHandle, reason: string): string {
    const warning = `worker ${worker.id} does not serve revision ${String(this.#current?.revision)} yet: ${reason}`;
    this.#log('warn', warning);
    return warning;
  }

  /** Again and again until it is up to date or dead. */
  async #catchUp(worker: WorkerHandle): Promise<void> {
    while (worker.state === 'lagging') {
      const failure = await this.update(worker, 'running');
      if (failure === null) {
        this.#log('notice', `worker ${worker.id} serves revision ${worker.revision} now`);
        return;
      }
      await new Promise((resolve) => {
        setTimeout(resolve, this.#tuning.restartMs);
      });
    }
  }

  async #prepare(worker: WorkerHandle, next: Publication): Promise<CallResult> {
    const { flavor } = next;
    const { prepareMs } = this.#tuning;
    if (next.delta !== null) {
      const result = await worker.call({ type: 'prepare', image: next.delta, flavor }, prepareMs);
      if (result.ok || !('stale' in result) || !result.stale) return result;
    }
    let image: SharedArrayBuffer | null;
    try {
      image = await next.image();
    } catch (error) {
      return { ok: false, stale: false, message: error instanceof Error ? error.message : String(error) };
    }
    if (image === null) return { ok: false, stale: false, message: 'there is no image' };
    return await worker.call({ type: 'prepare', image, flavor }, prepareMs);
  }

  /** Settings go along only when they are others: a worker looks at all its connections again then. */
  async #commit(worker: WorkerHandle, next: Publication): Promise<CallResult> {
    const { revision } = next;
    const settings = next.settings === worker.settings ? null : next.settings;
    const result = await worker.call({ type: 'commit', revision, settings }, this.#tuning.callMs);
    if (result.ok) worker.revision = revision;
    // It may do it yet although its answer did not come.
    worker.settings = result.ok ? next.settings : null;
    return result;
  }

  #noteBroken(broken: readonly BrokenRoute[]): void {
    const known = new Set(this.#broken.map(({ id }) => id));
    this.#broken = broken;
    for (const { id, reason } of broken) {
      if (!known.has(id)) this.#log('error', `route ${id} answers 503: ${reason}`);
    }
  }
}
