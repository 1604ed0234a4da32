/**
 * What is served now and how it changes: the one place through which a configuration reaches the workers.
 *
 * Changes run one after the other. Each either takes effect in all workers or leaves everything as it was and says
 * why. Settings are read again together with the file: if one of them needs a restart, the whole reload is refused.
 */
import { DirectoryKeeper } from './directory-keeper.ts';
import { LineQueue } from './line-queue.ts';
import { Compiler } from './compiler.ts';
import type { CompileFailure, CompileJob, Compiled, ConfigSource, Dumped } from './compile-job.ts';
import { configuredSource, unreadFile } from './configured-source.ts';
import type { Log } from './log.ts';
import { LeveledSettings } from './leveled-settings.ts';
import { type ReloadResult, failed, refusalText } from './reload-result.ts';
import type { UserPlugins } from './plugins/user-plugins.ts';
import { SharedDump } from './shared-dump.ts';
import { type ApiOptions, type Loaded, Served, type StoreRevision } from './served.ts';
import type { Supervisor } from './supervisor.ts';
import { type LoadedSettings, SettingsError } from '../settings/load.ts';
import { NO_BUNDLE } from '../plugins/users/live.ts';
import { diffSettings } from '../settings/diff.ts';
import { ErrorBodies } from '../proxy/error-body.ts';
import type { LogLevel, Settings } from '../settings/settings.ts';

/** Too many changes wait already: try again. */
class QueueFull extends Error {}

export interface ReloaderOptions {
  readonly supervisor: Supervisor;
  readonly log: Log;
  readonly readSettings: () => LoadedSettings;
  /** Throws an Error to refuse settings. */
  readonly checkSettings: (settings: Settings) => void;
  /** Called when live settings have changed. */
  readonly onSettings: (settings: Settings) => void;
  readonly settings: Settings;
  /** Users' plugins. */
  readonly plugins?: Pick<UserPlugins, 'refresh' | 'keeper'>;
}

/** Changes that may wait for the one in progress. */
const MAX_WAITING = 8;

export class Reloader {
  readonly directory: DirectoryKeeper;
  readonly #options: ReloaderOptions;
  readonly #queue = new LineQueue(MAX_WAITING);
  /** As they were read. */
  #settings: Settings;
  readonly #leveled = new LeveledSettings();
  readonly #served: Served;
  readonly #compiler = new Compiler();
  readonly #dumps = new SharedDump(this.#compiler);
  #pendingReload: Promise<ReloadResult> | null = null;

  constructor(options: ReloaderOptions) {
    this.#options = options;
    this.directory = new DirectoryKeeper(options.supervisor.directory);
    this.#settings = options.settings;
    this.#served = new Served(this.directory, options.settings);
  }

  get loaded(): Loaded {
    return this.#served.loaded;
  }

  get settings(): Settings {
    return this.#leveled.of(this.#settings);
  }

  /** The first configuration, compiled while the workers start. */
  async first(): Promise<Compiled | CompileFailure | null> {
    const source = configuredSource(this.#settings);
    return source === null ? null : await this.#compiler.first(this.#job(source, this.#settings, null));
  }

  /** Publishes what `first` answered. @throws Error when a worker cannot serve it. */
  async serveFirst(compiled: Compiled | null): Promise<void> {
    const publication = this.#served.publication(compiled, this.settings);
    await this.#options.supervisor.serve(publication);
    if (compiled !== null) this.#served.note(publication.revision, compiled, this.#settings);
  }

  /** Publishes a revision of the store, with the settings as they are. @throws Error when a worker cannot build it. */
  async publish(next: StoreRevision): Promise<readonly string[]> {
    const publish = async (): Promise<readonly string[]> => {
      const { router_flavor: flavor } = this.#settings;
      const publication = { ...next, flavor, settings: this.settings };
      const { supervisor } = this.#options;
      // The first one is what the workers start with.
      const warnings = this.#served.store === null ? [] : await supervisor.publish(publication);
      if (this.#served.store === null) await supervisor.serve(publication);
      this.#served.store = next;
      return warnings;
    };
    return await this.#queue.run(publish, () => Promise.reject(new QueueFull()));
  }

  /** Reads settings and file again (SIGHUP, `sluice reload`). Calls that come while one waits share it. */
  reload(): Promise<ReloadResult> {
    if (this.#pendingReload !== null) return this.#pendingReload;
    const reload = this.#enqueue(async () => {
      this.#pendingReload = null;
      return await this.#reload();
    });
    this.#pendingReload = reload;
    return reload;
  }

  /** Reads users' plugins again, and nothing else: a file of theirs has changed. */
  reloadPlugins(): Promise<ReloadResult> {
    return this.#enqueue(async () => {
      const refreshed = await this.#options.plugins?.refresh();
      if (refreshed?.ok === false) return pluginsRefused(refreshed.problems);
      const changed = refreshed?.changed ?? [];
      const message =
        changed.length === 0 ? 'no plugin has changed' : `plugins are read again: ${changed.join(', ')}`;
      const { revision } = this.#options.supervisor;
      const warnings = refreshed?.warnings ?? [];
      return { ok: true, message, revision, warnings, entities: null, unchanged: true };
    });
  }

  /** Plugins bring other kinds now. Within `refresh` of the plugins, so that nothing else is published meanwhile. */
  async refill(): Promise<void> {
    if (!this.directory.outdated) return;
    const { store, loaded } = this.#served;
    if (store !== null) await store.fill?.run();
    else if (loaded.image !== null) await this.directory.fromImage(loaded.image, loaded.image);
  }

  /** Replaces the configuration by the body of `POST /config`. */
  replace(source: ConfigSource, api: ApiOptions): Promise<ReloadResult> {
    return this.#enqueue(async () => await this.#apply(source, this.#settings, api));
  }

  /** Puts a level in place of the settings' in all threads, reloads or not; null takes it away again. */
  setLogLevel(level: LogLevel | null): Promise<ReloadResult> {
    return this.#enqueue(async () => {
      this.#leveled.level = level;
      const { settings } = this;
      const publication = this.#served.publication(null, settings);
      const warnings = await this.#options.supervisor.publish(publication);
      this.#options.onSettings(settings);
      const message = `the log level is ${settings.log_level}`;
      const { revision } = publication;
      return { ok: true, message, revision, warnings, entities: null, unchanged: true };
    });
  }

  /** What is served, as a declarative file. */
  dump(): Promise<Dumped | CompileFailure> {
    return this.#dumps.dump(this.#served.loaded.image, this.#options.plugins?.keeper.bundle ?? NO_BUNDLE);
  }

  #job(source: ConfigSource, settings: Settings, api: ApiOptions | null): CompileJob {
    return this.#served.job(source, settings, {
      api,
      plugins: this.#options.plugins?.keeper.bundle ?? NO_BUNDLE,
    });
  }

  #enqueue(change: () => Promise<ReloadResult>): Promise<ReloadResult> {
    const busy = (): ReloadResult => failed(429, 'Currently loading previous configuration');
    const crashed = (error: unknown): ReloadResult =>
      failed(500, error instanceof Error ? error.message : String(error));
    return this.#queue
      .run(change, busy)
      .catch(crashed)
      .then((result) => {
        if (!result.ok) this.#options.log('error', `reload refused: ${refusalText(result)}`);
        else this.#options.log('notice', result.message);
        return result;
      });
  }

  async #reload(): Promise<ReloadResult> {
    let next: LoadedSettings;
    try {
      next = this.#options.readSettings();
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error;
      return failed(400, 'the settings are invalid', error.problems);
    }
    const { restart } = diffSettings(this.#settings, next.settings);
    if (restart.length > 0) return failed(400, `needs a restart: ${restart.join(', ')} changed`);
    const reason = this.#served.restartReason(this.#settings, next.settings);
    if (reason !== null) return failed(400, reason);
    const source = this.#served.store === null ? configuredSource(next.settings) : null;
    const plugins = await this.#options.plugins?.refresh();
    // A plugin that the configuration of now still needs may be gone together with what needs it.
    if (plugins?.ok === false && !(plugins.inUse && source !== null)) return pluginsRefused(plugins.problems);
    const result = await this.#apply(source, next.settings, null);
    if (!result.ok) return result;
    const again = plugins?.ok === false ? await this.#options.plugins?.refresh() : null;
    if (again?.ok === false) return pluginsRefused(again.problems);
    const unread = this.#served.store === null ? [] : unreadFile(next.settings);
    for (const warning of unread) this.#options.log('warn', warning);
    return { ...result, warnings: [...next.warnings, ...unread, ...result.warnings] };
  }

  /** @param source null keeps the configuration and changes the settings alone. */
  async #apply(
    source: ConfigSource | null,
    settings: Settings,
    api: ApiOptions | null,
  ): Promise<ReloadResult> {
    try {
      // The workers will read the template files: what they would choke on is refused before anything changes.
      void new ErrorBodies(settings);
      this.#options.checkSettings(settings);
    } catch (error) {
      return failed(400, error instanceof Error ? error.message : String(error));
    }
    const compiled = source === null ? null : await this.#compiler.compile(this.#job(source, settings, api));
    if (compiled?.ok === false) {
      return failed(compiled.status, 'the configuration is invalid', compiled.lines, compiled.body);
    }
    const publication = this.#served.publication(compiled, this.#leveled.of(settings));
    let warnings: string[];
    try {
      warnings = await this.#options.supervisor.publish(publication);
    } catch (error) {
      return failed(500, error instanceof Error ? error.message : String(error));
    }
    this.#settings = settings;
    this.#options.onSettings(publication.settings);
    const unchanged = compiled?.unchanged ?? true;
    if (compiled !== null && !unchanged) this.#served.note(publication.revision, compiled, settings);
    const message = unchanged
      ? `nothing changed in the configuration: revision ${publication.revision}`
      : `serving revision ${publication.revision} (${String(compiled?.records)} entities)`;
    const { revision } = publication;
    return { ok: true, message, revision, warnings, entities: compiled?.entities ?? null, unchanged };
  }
}

function pluginsRefused(problems: readonly string[]): ReloadResult {
  return failed(400, 'the plugins go on as they were', problems);
}
