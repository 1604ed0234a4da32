/**
 * What plugins of a worker are handed (`PluginServices`), made of what the data plane has.
 *
 * Plugins are created while their snapshot is being built: until it is served, secrets and authorities are those of the
 * snapshot to come.
 */
import type { Plugin } from '../../entities/plugin.ts';
import type { HandedServices } from '../../plugins/engine/host.ts';
import type { PluginLog, PluginServices, SharedCounters, SharedValues } from '../../plugins/kit/services.ts';
import { trust as trustFiles } from '../../plugins/services/http-agents.ts';
import { HttpFetch } from '../../plugins/services/http-fetch.ts';
import { MemoryCache } from '../../plugins/services/memory-cache.ts';
import { WorkerMetrics } from '../../plugins/services/metrics.ts';
import { ownEntities } from '../../plugins/services/own-entities.ts';
import { type RecordAccess, StoredRecords } from '../../plugins/services/records.ts';
import { RedisPool } from '../../plugins/services/redis/redis-pool.ts';
import { Schedule } from '../../plugins/services/schedule.ts';
import { nodeId } from '../../settings/node-id.ts';
import type { LogLevel, Settings } from '../../settings/settings.ts';
import { SecretTexts } from '../../snapshot/secret-texts.ts';
import type { Snapshot } from '../../snapshot/snapshot.ts';
import type { Trust } from '../../snapshot/trust.ts';
import { makeZone } from '../../zone/shared/layout.ts';
import { SharedZone } from '../../zone/shared/shared-zone.ts';
import type { ProxyContext } from '../context.ts';

export interface ServiceOptions {
  readonly settings: Settings;
  readonly workerId: number;
  /** Memory of the zone that plugins of all workers share; null: one of this worker's own. */
  readonly shared: SharedArrayBuffer | null;
  /** Null: there is no database. */
  readonly records: RecordAccess | null;
  readonly log: (level: LogLevel, kind: string, message: string) => void;
}

export class ServiceMaker {
  readonly #context: ProxyContext;
  readonly #options: ServiceOptions;
  readonly #fetch: HttpFetch;
  readonly #redis: RedisPool;
  readonly #texts: SecretTexts;
  readonly #node: PluginServices['node'];
  readonly metrics = new WorkerMetrics();
  #zone: SharedZone | null = null;
  /** Of the snapshot that is being built. */
  coming: Trust | null = null;

  constructor(context: ProxyContext, options: ServiceOptions) {
    const { settings, workerId } = options;
    this.#context = context;
    this.#options = options;
    this.#fetch = new HttpFetch({
      resolver: context.resolver,
      trusted: settings.lua_ssl_trusted_certificate,
    });
    this.#redis = new RedisPool({
      resolver: context.resolver,
      trust: () => trustFiles(settings.lua_ssl_trusted_certificate),
      log: {
        error: (message) => options.log('error', 'redis', message),
        notice: (message) => options.log('notice', 'redis', message),
      },
    });
    this.#texts = new SecretTexts({
      env: process.env,
      envPrefix: settings.vault_env_prefix,
      fileBase: settings.vault_file_base,
    });
    this.#node = new Node(settings, workerId);
  }

  of(plugin: Plugin): HandedServices {
    const log = this.#log(plugin);
    const trust = this.#trust();
    const schedule = new Schedule((error) => log.error(`scheduled work: ${textOf(error)}`));
    const zone = (): SharedZone => this.#sharedZone();
    const held: Array<() => void> = [];
    let counters: SharedCounters | null = null;
    let shared: SharedValues | null = null;
    const services = {
      plugin,
      log,
      node: this.#node,
      entities: this.#context.directory,
      own: (entity) => ownEntities(this.#context.directory, plugin.name, entity),
      get counters() {
        return (counters ??= zone().counters(plugin.name));
      },
      get shared() {
        return (shared ??= zone().values(plugin.name));
      },
      records: new StoredRecords(this.#options.records, plugin.name),
      metrics: this.metrics.of(plugin.name),
      cache: (options) => new MemoryCache(options),
      fetch: (url, options) => this.#fetch.fetch(url, options),
      redis: (target) => {
        const { redis, release } = this.#redis.hold(target);
        held.push(release);
        return redis;
      },
      secret: (text) => this.#texts.of(text, trust()),
      trust: () => trustFiles(this.#options.settings.lua_ssl_trusted_certificate),
      keySet: (name) => trust().keySets.get(name) ?? null,
      certificate: (id) => {
        const found = trust().certificates.get(id);
        if (found === undefined) return null;
        const { cert, key } = found;
        return { cert: this.#texts.of(cert, trust()), key: this.#texts.of(key, trust()) };
      },
      caCertificate: (id) => trust().authorities.get(id)?.cert ?? null,
      every: (ms, task, on = 'worker') =>
        schedule.every(ms, task, on === 'node' ? () => zone().leads() : undefined),
    } satisfies PluginServices;
    const cost = this.metrics.join(plugin.id, plugin.name);
    const release = (): void => {
      schedule[Symbol.dispose]();
      for (const letGo of held.splice(0)) letGo();
      this.metrics.leave(cost);
    };
    return { services, cost, release };
  }

  close(): void {
    this.#zone?.resign();
    this.#fetch.close();
    this.#redis.close();
  }

  #sharedZone(): SharedZone {
    const { shared, settings, workerId } = this.#options;
    return (this.#zone ??= new SharedZone(shared ?? makeZone(settings.plugin_zone_size), workerId));
  }

  #log({ name }: Plugin): PluginLog {
    const say =
      (level: LogLevel) =>
      (message: string): void =>
        this.#options.log(level, `plugin_${name}`, `[${name}] ${message}`);
    return {
      debug: say('debug'),
      info: say('info'),
      notice: say('notice'),
      warn: say('warn'),
      error: say('error'),
    };
  }

  #trust(): () => Trust {
    const context = this.#context;
    const { coming } = this;
    let before: { readonly snapshot: Snapshot; readonly trust: Trust } | null =
      coming === null ? null : { snapshot: context.snapshot, trust: coming };
    return () => {
      if (before !== null && before.snapshot === context.snapshot) return before.trust;
      before = null;
      return context.snapshot.trust;
    };
  }
}

/** The node's id is a file's content: nobody reads it who does not ask. */
class Node implements NonNullable<PluginServices['node']> {
  readonly workerId: number;
  readonly #settings: Settings;
  #id: string | null = null;

  constructor(settings: Settings, workerId: number) {
    this.#settings = settings;
    this.workerId = workerId;
  }

  get id(): string {
    return (this.#id ??= nodeId(this.#settings));
  }

  get sealsSecrets(): boolean {
    const { database, secret_key_file: file, secret_keys: keys } = this.#settings;
    return database !== 'off' && (file !== null || keys.length > 0);
  }

  get hostname(): string {
    return process.getBuiltinModule('node:os').hostname();
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
