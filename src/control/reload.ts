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
import type { Log } from './log.ts';
import { type ReloadResult, failed } from './reload-result.ts';
import { SharedDump } from './shared-dump.ts';
import type { Publication } from './publisher.ts';
import type { Supervisor } from './supervisor.ts';
import { type LoadedSettings, SettingsError } from '../settings/load.ts';
import { diffSettings } from '../settings/diff.ts';
import { ErrorBodies } from '../proxy/error-body.ts';
import type { LogLevel, Settings } from '../settings/settings.ts';
import { EMPTY_HASH } from '../snapshot/snapshot.ts';
import type { RouterFlavor } from '../router/router.ts';

/** A configuration as it is served. */
export interface Loaded {
  readonly revision: number;
  readonly hash: string;
  readonly image: SharedArrayBuffer | null;
  readonly flavor: RouterFlavor;
}

/** A revision of a store on its way to the workers. */
export type StoreRevision = Pick<Publication, 'revision' | 'image' | 'delta' | 'fill'>;

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
}

/** Changes that may wait for the one in progress. */
const MAX_WAITING = 8;

export class Reloader {
  readonly directory: DirectoryKeeper;
  readonly #options: ReloaderOptions;
  readonly #queue = new LineQueue(MAX_WAITING);
  /** As they were read. */
  #settings: Settings;
  /** What the Admin API has put in place of `log_level`, for a while. */
  #logLevel: LogLevel | null = null;
  /** Settings, and the same with that level. */
  #leveled: { readonly of: Settings; readonly settings: Settings };
  #loaded: Loaded;
  readonly #compiler = new Compiler();
  readonly #dumps = new SharedDump(this.#compiler);
  #pendingReload: Promise<ReloadResult> | null = null;
  /** What is served of a store; null without one. */
  #store: StoreRevision | null = null;

  constructor(options: ReloaderOptions) {
    this.#options = options;
    this.directory = new DirectoryKeeper(options.supervisor.directory);
    this.#settings = options.settings;
    this.#leveled = { of: options.settings, settings: options.settings };
    this.#loaded = {
      revision: 0,
      hash: EMPTY_HASH,
      image: null,
      flavor: options.settings.router_flavor,
    };
  }

  get loaded(): Loaded {
    return this.#loaded;
  }

  get settings(): Settings {
    return this.#effective(this.#settings);
  }

  /** The first configuration, compiled while the workers start. */
  async first(): Promise<Compiled | CompileFailure | null> {
    const source = configuredSource(this.#settings);
    return source === null ? null : await this.#compiler.first(this.#job(source, this.#settings, null));
  }

  /** Publishes what `first` answered. @throws Error when a worker cannot serve it. */
  async serveFirst(compiled: Compiled | null): Promise<void> {
    const publication = this.#publication(compiled, this.settings);
    await this.#options.supervisor.serve(publication);
    if (compiled !== null) this.#note(publication.revision, compiled, this.#settings);
  }

  /** Publishes a revision of the store, with the settings as they are. @throws Error when a worker cannot build it. */
  async publish(next: StoreRevision): Promise<readonly string[]> {
    const publish = async (): Promise<readonly string[]> => {
      const { router_flavor: flavor } = this.#settings;
      const publication = { ...next, flavor, settings: this.settings };
      const { supervisor } = this.#options;
      // The first one is what the workers start with.
      const warnings = this.#store === null ? [] : await supervisor.publish(publication);
      if (this.#store === null) await supervisor.serve(publication);
      this.#store = next;
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

  /** Replaces the configuration by the body of `POST /config`. */
  replace(source: ConfigSource, api: { readonly flattenErrors: boolean }): Promise<ReloadResult> {
    return this.#enqueue(async () => await this.#apply(source, this.#settings, api));
  }

  /** Puts a level in place of the settings' in all threads, reloads or not; null takes it away again. */
  setLogLevel(level: LogLevel | null): Promise<ReloadResult> {
    return this.#enqueue(async () => {
      this.#logLevel = level;
      const { settings } = this;
      const publication = this.#publication(null, settings);
      const warnings = await this.#options.supervisor.publish(publication);
      this.#options.onSettings(settings);
      const message = `the log level is ${settings.log_level}`;
      const { revision } = publication;
      return { ok: true, message, revision, warnings, entities: null, unchanged: true };
    });
  }

  /** The same object as long as nothing changes: so it is known what workers have already. */
  #effective(settings: Settings): Settings {
    const level = this.#logLevel;
    if (level === null) return settings;
    if (this.#leveled.of !== settings || this.#leveled.settings.log_level !== level)
      this.#leveled = { of: settings, settings: { ...settings, log_level: level } };
    return this.#leveled.settings;
  }

  /** What is served, as a declarative file. */
  dump(): Promise<Dumped | CompileFailure> {
    return this.#dumps.dump(this.#loaded.image);
  }

  #enqueue(change: () => Promise<ReloadResult>): Promise<ReloadResult> {
    const busy = (): ReloadResult => failed(429, 'Currently loading previous configuration');
    const crashed = (error: unknown): ReloadResult =>
      failed(500, error instanceof Error ? error.message : String(error));
    return this.#queue
      .run(change, busy)
      .catch(crashed)
      .then((result) => {
        if (!result.ok)
          this.#options.log('error', `reload refused: ${refusal(result.message, result.errors)}`);
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
    const flavorChanged = next.settings.router_flavor !== this.#settings.router_flavor;
    if (this.#store !== null && flavorChanged) {
      return failed(400, 'needs a restart: router_flavor changed');
    }
    const source = this.#store === null ? configuredSource(next.settings) : null;
    if (
      source === null &&
      this.#loaded.image !== null &&
      next.settings.router_flavor !== this.#loaded.flavor
    ) {
      return failed(
        400,
        'needs a restart: router_flavor changed and no declarative file is set to compile again',
      );
    }
    const result = await this.#apply(source, next.settings, null);
    if (!result.ok) return result;
    const unread = this.#store === null ? [] : unreadFile(next.settings);
    for (const warning of unread) this.#options.log('warn', warning);
    return { ...result, warnings: [...next.warnings, ...unread, ...result.warnings] };
  }

  /** @param source null keeps the configuration and changes the settings alone. */
  async #apply(
    source: ConfigSource | null,
    settings: Settings,
    api: { readonly flattenErrors: boolean } | null,
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
    const publication = this.#publication(compiled, this.#effective(settings));
    let warnings: string[];
    try {
      warnings = await this.#options.supervisor.publish(publication);
    } catch (error) {
      return failed(500, error instanceof Error ? error.message : String(error));
    }
    this.#settings = settings;
    this.#options.onSettings(publication.settings);
    const unchanged = compiled?.unchanged ?? true;
    if (compiled !== null && !unchanged) this.#note(publication.revision, compiled, settings);
    const message = unchanged
      ? `nothing changed in the configuration: revision ${publication.revision}`
      : `serving revision ${publication.revision} (${String(compiled?.records)} entities)`;
    const { revision } = publication;
    return { ok: true, message, revision, warnings, entities: compiled?.entities ?? null, unchanged };
  }

  #job(
    source: ConfigSource,
    settings: Settings,
    api: { readonly flattenErrors: boolean } | null,
  ): CompileJob {
    const { image, hash, flavor, revision } = this.#loaded;
    return {
      type: 'compile',
      source,
      flavor: settings.router_flavor,
      revision: revision + 1,
      current: image === null ? null : { image, hash, flavor },
      wantEntities: api !== null,
      flattenErrors: api?.flattenErrors ?? false,
    };
  }

  #publication(compiled: Compiled | null, settings: Settings): Publication {
    if (this.#store !== null) {
      return { ...this.#store, delta: null, flavor: settings.router_flavor, settings };
    }
    const changed = compiled !== null && !compiled.unchanged;
    return {
      revision: changed ? this.#loaded.revision + 1 : this.#loaded.revision,
      flavor: settings.router_flavor,
      image: imageOf(changed ? compiled.image : this.#loaded.image),
      delta: changed ? compiled.delta : null,
      fill: changed
        ? { run: () => this.directory.fromImage(compiled.image, this.#loaded.image), when: 'between' }
        : null,
      settings,
    };
  }

  #note(revision: number, { image, hash }: Compiled, { router_flavor: flavor }: Settings): void {
    this.#loaded = { revision, image, flavor, hash };
  }
}

function imageOf(image: SharedArrayBuffer | null): () => Promise<SharedArrayBuffer | null> {
  return () => Promise.resolve(image);
}

/** Errors of a refused reload that the log lists; its answer has all. Who tries again and again must not fill a disk. */
const LOGGED_ERRORS = 20;

function refusal(message: string, errors: readonly string[]): string {
  const more = errors.length - LOGGED_ERRORS;
  const listed = [message, ...errors.slice(0, LOGGED_ERRORS)].join('\n  ');
  return more > 0 ? `${listed}\n  and ${more} more` : listed;
}

/** Who edits the file of a gateway with a database, and reloads, waits in vain: a store begins with it, once. */
export function unreadFile({
  database,
  declarative_config: file,
  declarative_config_string: text,
}: Settings): string[] {
  if (file === null && text === null) return [];
  return [
    `the configuration is in the database (${database}): ${file ?? 'declarative_config_string'} was not read, ` +
      `an empty store begins with it; 'sluice config sync ${file ?? 'FILE'}' applies it`,
  ];
}

/** Where the settings say that the configuration is; null when they name none. */
function configuredSource(settings: Settings): ConfigSource | null {
  if (settings.declarative_config !== null) return { kind: 'file', path: settings.declarative_config };
  if (settings.declarative_config_string !== null) {
    return { kind: 'text', text: settings.declarative_config_string, name: 'declarative_config_string' };
  }
  return null;
}
