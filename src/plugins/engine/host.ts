/** Makes the instances of a worker: loads a plugin's code when a configuration first uses it, and hands it its services. */
import { PLUGIN_SCHEMAS } from '../../entities/plugin-schemas.ts';
import type { Plugin } from '../../entities/plugin.ts';
import { moduleUrl } from '../../lib/module-url.ts';
import type { WorkerZone } from '../../zone/worker-zone.ts';
import { CreateLimit } from './create-limit.ts';
import type { PluginInstance } from './instance.ts';
import type { Filters } from '../kit/filters.ts';
import { refuse } from '../kit/reply.ts';
import type { PluginServices } from '../kit/services.ts';
import { ConfigSecrets } from '../services/config-secrets.ts';
import type { InstanceCost } from '../services/cost.ts';
import type { ForUser } from '../users/create.ts';
import { type UserPlugin, userPlugin } from '../users/live.ts';

/** A `PluginDefinition`, whatever its fields. */
interface AnyPlugin {
  readonly identifies?: boolean;
  create(config: unknown, gateway: PluginServices): Filters | Promise<Filters>;
}

/** Services of one instance, and what ends with it: scheduled work, the account of its cost. */
export interface HandedServices {
  readonly services: PluginServices;
  readonly cost: InstanceCost;
  readonly release: () => void;
}

/** Lets nobody in: what ran in its place might have been what protects a route. */
const BROKEN: Filters = {
  access: () => refuse(500),
  preread: () => ({ refuse: 'a plugin of the route is broken' }),
};

interface Made {
  readonly filters: Filters;
  readonly identifies: boolean;
}

export interface PluginHostOptions {
  /** Everything a plugin is handed, for one of its configurations. */
  readonly services: (entity: Plugin) => HandedServices;
  /** Says which plugin of a user's runs. */
  readonly zone: WorkerZone;
  /** Milliseconds that a `create` may take. */
  readonly createMs?: number;
}

export class PluginHost {
  readonly #options: PluginHostOptions;
  readonly #limit: CreateLimit;
  readonly #loaded = new Map<string, Promise<AnyPlugin>>();

  constructor(options: PluginHostOptions) {
    this.#options = options;
    this.#limit = new CreateLimit(options.createMs);
  }

  /**
   * Never rejects: an instance that cannot be made refuses its requests and says why.
   *
   * @param staged code of a user's plugin that is about to take the place of what runs.
   */
  async create(entity: Plugin, staged?: UserPlugin): Promise<PluginInstance> {
    const user = staged ?? userPlugin(entity.name);
    const description = user?.definition ?? PLUGIN_SCHEMAS.get(entity.name)?.description;
    const priority = description?.priority ?? 0;
    const { services, cost, release } = this.#options.services(entity);
    const secrets = new ConfigSecrets((text) => services.secret(text));
    const common = { entity, priority };
    try {
      const config = secrets.resolve(description?.config ?? {}, entity.config);
      const making =
        user === null
          ? this.#create(entity.name, config, services)
          : this.#createForUser(user, { entity, resolved: config, services });
      const { filters, identifies } = await this.#limit.within(user ?? description ?? entity, making);
      const measured = cost.measured(filters);
      return { ...common, ...kept(secrets), filters: measured, identifies, broken: null, cost, release };
    } catch (error) {
      release();
      const broken = secrets.masked(error instanceof Error ? error.message : String(error));
      return { ...common, ...kept(secrets), filters: BROKEN, broken };
    }
  }

  async #create(name: string, config: unknown, services: PluginServices): Promise<Made> {
    const definition = await this.#load(name);
    const filters = await definition.create(config, services);
    return { filters, identifies: definition.identifies === true };
  }

  async #createForUser(user: UserPlugin, of: Omit<ForUser, 'zone'>): Promise<Made> {
    const { createForUser } = await import('../users/create.ts');
    const filters = await createForUser(user, { ...of, zone: this.#options.zone });
    return { filters, identifies: user.definition.identifies === true };
  }

  #load(name: string): Promise<AnyPlugin> {
    let loading = this.#loaded.get(name);
    if (loading === undefined) {
      loading = loadDefinition(name);
      this.#loaded.set(name, loading);
      loading.catch(() => this.#loaded.delete(name));
    }
    return loading;
  }
}

function kept(secrets: ConfigSecrets): { readonly secrets?: ConfigSecrets } {
  return secrets.none ? {} : { secrets };
}

async function loadDefinition(name: string): Promise<AnyPlugin> {
  const module = (await import(moduleUrl(`../${name}/plugin`, import.meta.url).href)) as {
    readonly default: AnyPlugin;
  };
  return module.default;
}
