/** Makes the instances of a worker: loads a plugin's code when a configuration first uses it, and hands it its services. */
import { PLUGIN_SCHEMAS } from '../entities/plugin-schemas.ts';
import type { Plugin } from '../entities/plugin.ts';
import { moduleUrl } from '../lib/module-url.ts';
import type { PluginInstance } from './instance.ts';
import type { Filters } from './kit/filters.ts';
import { refuse } from './kit/reply.ts';
import type { PluginServices } from './kit/services.ts';

/** Services of one instance, and what ends with it: scheduled work, series of metrics. */
export interface HandedServices {
  readonly services: PluginServices;
  readonly release: () => void;
}

/** Lets nobody in: what ran in its place might have been what protects a route. */
const BROKEN: Filters = {
  access: () => refuse(500),
  preread: () => ({ refuse: 'a plugin of the route is broken' }),
};

export interface PluginHostOptions {
  /** Everything a plugin is handed, for one of its configurations. */
  readonly services: (entity: Plugin) => HandedServices;
}

/** What of a `PluginDefinition` is used: its fields are known to the validation that a configuration has passed. */
interface LoadedPlugin {
  readonly create: (config: unknown, gateway: PluginServices) => Filters | Promise<Filters>;
}

export class PluginHost {
  readonly #options: PluginHostOptions;
  readonly #loaded = new Map<string, Promise<LoadedPlugin>>();

  constructor(options: PluginHostOptions) {
    this.#options = options;
  }

  /** Never rejects: an instance that cannot be made refuses its requests and says why. */
  async create(entity: Plugin): Promise<PluginInstance> {
    const priority = PLUGIN_SCHEMAS.get(entity.name)?.priority ?? 0;
    const { services, release } = this.#options.services(entity);
    try {
      const definition = await this.#load(entity.name);
      const filters = await definition.create(entity.config, services);
      return { entity, priority, filters, broken: null, release };
    } catch (error) {
      release();
      const broken = error instanceof Error ? error.message : String(error);
      return { entity, priority, filters: BROKEN, broken };
    }
  }

  #load(name: string): Promise<LoadedPlugin> {
    let loading = this.#loaded.get(name);
    if (loading === undefined) {
      loading = loadDefinition(name);
      this.#loaded.set(name, loading);
      loading.catch(() => this.#loaded.delete(name));
    }
    return loading;
  }
}

async function loadDefinition(name: string): Promise<LoadedPlugin> {
  const module = (await import(moduleUrl(`./${name}/plugin`, import.meta.url).href)) as {
    readonly default: LoadedPlugin;
  };
  return module.default;
}
