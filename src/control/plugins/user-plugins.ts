/**
 * Users' plugins of the node, from the main thread's side: their folder is read, read again, watched; what they do to
 * workers is noticed. Whatever is wrong with files that have changed, the plugins go on as they were.
 */
import type { Values } from '../../entities/schema/field.ts';
import { type BlockedPlugin, configDigest } from '../../plugins/users/blocked.ts';
import { PluginProblems } from '../../plugins/users/find.ts';
import type { Settings } from '../../settings/settings.ts';
import { Slices } from '../../store/slices.ts';
import { CELL } from '../../zone/worker-zone.ts';
import type { Log } from '../log.ts';
import type { HeldByPlugins } from '../protocol.ts';
import type { Supervisor } from '../supervisor.ts';
import { configProblems } from './in-use.ts';
import { entityProblems } from './entities-in-use.ts';
import { type NextPlugins, PluginKeeper } from './plugin-keeper.ts';
import type { WorkerHandle } from '../worker-handle.ts';
import { renewPlugins } from './renew.ts';
import { Watchdog } from './watchdog.ts';

export interface UserPluginsOptions {
  readonly settings: Settings;
  readonly supervisor: Supervisor;
  readonly log: Log;
  /** The plugin entities that there are. */
  readonly configured: () => Iterable<Values>;
  /** Entities of a plugin's kind that there are. */
  readonly stored: (kind: string) => Iterable<Values>;
  /** Runs what changes the kinds that plugins bring, and brings what follows from them up to date. */
  readonly swapKinds: (swap: () => void) => Promise<void>;
}

/** What reading the folder again has come to. */
export type Refreshed =
  | { readonly ok: true; readonly changed: readonly string[]; readonly warnings: readonly string[] }
  /** `inUse`: it is not the plugins that are wrong, but configurations could not go on with them. */
  | { readonly ok: false; readonly inUse: boolean; readonly problems: readonly string[] };

const BLOCK_MS = 30_000;
const END_MS = 10_000;

const UNCHANGED: Refreshed = { ok: true, changed: [], warnings: [] };

export class UserPlugins {
  readonly keeper: PluginKeeper;
  readonly #options: UserPluginsOptions;
  /** Errors outside of requests that were logged, by plugin. */
  readonly #faults = new Map<string, number>();
  /** Workers try code that is not accepted yet: what it does is held against it alone. */
  #staging = false;
  #reloads = 0;
  #refused = 0;
  #held: ReadonlyMap<number, HeldByPlugins> = new Map();

  constructor(options: UserPluginsOptions) {
    this.#options = options;
    this.keeper = new PluginKeeper(options.settings);
    options.supervisor.runningPlugin = (cell) => this.keeper.named(cell);
    options.supervisor.onFault = (worker, plugin, error) => this.#onFault(worker, plugin, error);
  }

  /** Before anything else of a start. @throws PluginProblems */
  async first(): Promise<void> {
    const { settings, supervisor, log } = this.#options;
    for (const warning of await this.keeper.first(settings)) log('warn', warning);
    supervisor.plugins = this.keeper.bundle;
    const names = this.keeper.bundle.plugins.map(({ name }) => name);
    if (names.length > 0) log('notice', `plugins of ${String(this.keeper.folder)}: ${names.join(', ')}`);
  }

  /** Looks after workers from now on; null: there is nothing to look for. */
  watchdog(limitMs: () => number): Disposable | null {
    if (this.keeper.folder === null) return null;
    const { supervisor, log } = this.#options;
    return new Watchdog({
      supervisor,
      log,
      named: (cell) => this.keeper.named(cell),
      limitMs,
      pastLimit: (worker, plugin, ms) => this.#block(worker, plugin, ms),
    });
  }

  /** Its routes answer 503 on all workers, of which the one that stands still is replaced. */
  #block(worker: WorkerHandle, name: string, ms: number): void {
    const { supervisor, log, configured } = this.#options;
    const end = (): void => endWorker(worker, name, log);
    if (this.#staging) {
      log(
        'crit',
        `plugin ${name}, as it is in its files now, kept worker ${worker.id} for ${ms} ms: the worker is replaced`,
      );
      return end();
    }
    const plugin = this.keeper.bundle.plugins.find((one) => one.name === name);
    log(
      'crit',
      `plugin ${name} (${plugin?.file ?? 'which is gone'}) kept worker ${worker.id} for ${ms} ms, longer than plugin_block_limit: the worker is replaced, and the plugin's routes answer 503 until its code or its configuration changes`,
    );
    if (plugin !== undefined) {
      const configs = new Map<string, string>();
      for (const { name: of, id, config } of configured()) {
        if (of === name) configs.set(String(id), configDigest(config));
      }
      this.#setBlocked([
        ...supervisor.blocked.filter((one) => one.name !== name),
        { name, version: plugin.version, configs },
      ]);
    }
    end();
  }

  #setBlocked(blocked: readonly BlockedPlugin[]): void {
    const { supervisor } = this.#options;
    supervisor.blocked = blocked;
    for (const worker of supervisor.workers) {
      if (worker.state !== 'dead') void worker.call({ type: 'block-plugins', blocked }, BLOCK_MS);
    }
  }

  /** Reads the folder again. The caller sees to it that no configuration changes meanwhile. */
  async refresh(): Promise<Refreshed> {
    try {
      return await this.#refresh();
    } catch (error) {
      if (!(error instanceof PluginProblems)) throw error;
      return this.#refuse(false, error.problems);
    }
  }

  async #refresh(): Promise<Refreshed> {
    const next = await this.keeper.next();
    if (next === null) return UNCHANGED;
    const { supervisor, settings, configured, stored, log } = this.#options;
    const { router_flavor: flavor } = settings;
    const entities = await new Slices().run(entityProblems(next.staged, { stored, flavor }));
    const problems = [...configProblems(next.staged, configured(), flavor), ...entities];
    if (problems.length > 0) return this.#refuse(true, problems);
    this.#staging = true;
    const { warnings, held } = await renewPlugins(supervisor, next.bundle, () => this.#take(next)).finally(
      () => {
        this.#staging = false;
      },
    );
    const changedNames = new Set([...next.staged.changed.keys(), ...next.staged.gone]);
    // New code has begun anew in the workers already.
    supervisor.blocked = supervisor.blocked.filter(({ name }) => !changedNames.has(name));
    this.#held = held;
    this.#reloads++;
    const changed = [...next.staged.changed.keys()];
    for (const warning of warnings) log('warn', warning);
    if (changed.length > 0) log('notice', `plugins changed: ${changed.join(', ')}`);
    if (next.staged.gone.length > 0) log('notice', `plugins gone: ${next.staged.gone.join(', ')}`);
    return { ok: true, changed: [...changed, ...next.staged.gone], warnings };
  }

  /** Workers have accepted it: there is no way back. */
  async #take(next: NextPlugins): Promise<void> {
    let taken = false;
    const swap = (): void => {
      this.keeper.take(next);
      taken = true;
    };
    try {
      await this.#options.swapKinds(swap);
    } catch (error) {
      if (!taken) swap();
      const reason = error instanceof Error ? error.message : String(error);
      this.#options.log('error', `entities of plugins are not found as the plugins say now: ${reason}`);
    }
  }

  #refuse(inUse: boolean, problems: readonly string[]): Refreshed {
    this.#refused++;
    return { ok: false, inUse, problems };
  }

  #onFault(worker: number, plugin: string, error: string): void {
    this.#faults.set(plugin, (this.#faults.get(plugin) ?? 0) + 1);
    const file = this.keeper.bundle.plugins.find(({ name }) => name === plugin)?.file ?? 'which is gone';
    this.#options.log(
      'error',
      `plugin ${plugin} (${file}) has thrown outside of a request, in worker ${worker}: ${error}`,
    );
  }

  /** For `/status`; null: there is no folder. */
  report(): object | null {
    if (this.keeper.folder === null) return null;
    const { bundle } = this.keeper;
    return {
      names: bundle.plugins.map(({ name }) => name),
      generation: bundle.generation,
      reloads: this.#reloads,
      reloads_refused: this.#refused,
      blocked: this.#options.supervisor.blocked.map(({ name }) => name),
      faults: this.#options.supervisor.zone.sum(CELL.pluginFaults),
      faults_logged: Object.fromEntries(this.#faults),
      held: [...this.#held].map(([worker, { versions, timers }]) => ({ worker, versions, timers })),
    };
  }
}

/** A thread inside of a system call, or that V8 cannot stop for want of heap, ends when it comes out, if ever. */
function endWorker(worker: WorkerHandle, plugin: string, log: Log): void {
  const timer = setTimeout(() => {
    log(
      'alert',
      `worker ${worker.id} cannot be ended while plugin ${plugin} is in a call that nothing interrupts: its connections wait; restart the gateway if it does not come back`,
    );
  }, END_MS).unref();
  void worker.terminate().finally(() => clearTimeout(timer));
}
