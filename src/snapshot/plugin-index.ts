/** Plugins as the builder knows them, and the `PluginSet` that comes of them. */
import type { Plugin } from '../entities/plugin.ts';
import type { PluginInstance } from '../plugins/engine/instance.ts';
import { NO_PLUGINS, PluginSet } from '../plugins/engine/plugin-set.ts';
import type { Trust } from './trust.ts';

/** Makes the filters of one configuration, with the certificates and vaults of its snapshot; never rejects. */
export type CreatePlugin = (entity: Plugin, trust: Trust) => Promise<PluginInstance>;

/** The same by other code, for what is served. */
export type RenewPlugin = (entity: Plugin) => Promise<PluginInstance>;

export class PluginIndex {
  readonly #create: CreatePlugin;
  readonly #entities = new Map<string, Plugin>();
  readonly #touched = new Set<string>();

  constructor(create: CreatePlugin) {
    this.#create = create;
  }

  /** Instances of these plugins, or with these ids, made anew. Nothing is served of them yet. */
  async renew(wanted: ReadonlySet<string>, create: RenewPlugin): Promise<Map<string, PluginInstance>> {
    const renewed = new Map<string, PluginInstance>();
    for (const entity of this.#entities.values()) {
      const asked = wanted.has(entity.name) || wanted.has(entity.id);
      if (entity.enabled && asked) renewed.set(entity.id, await create(entity));
    }
    return renewed;
  }

  /** What is served with those; one whose configuration has changed since is made once more. */
  async replace(
    served: PluginSet,
    renewed: ReadonlyMap<string, PluginInstance>,
    trust: Trust,
  ): Promise<PluginSet> {
    const instances = new Map(served.instances);
    for (const [id, instance] of renewed) {
      const entity = instances.get(id)?.entity;
      if (entity !== instance.entity) void endInstance(instance);
      if (entity === undefined) continue;
      instances.set(id, entity === instance.entity ? instance : await this.#create(entity, trust));
    }
    return instances.size === 0 ? NO_PLUGINS : new PluginSet(instances);
  }

  put(entity: Plugin): void {
    this.#entities.set(entity.id, entity);
    this.#touched.add(entity.id);
  }

  remove(id: string): void {
    this.#entities.delete(id);
    this.#touched.add(id);
  }

  /**
   * What is served with all that was put and removed since the last call; `served` itself when that was nothing. Instances
   * whose entity has not changed go on.
   */
  async commit(served: PluginSet, trust: Trust): Promise<PluginSet> {
    if (this.#touched.size === 0) return served;
    const instances = new Map(served.instances);
    for (const id of this.#touched) {
      instances.delete(id);
      const entity = this.#entities.get(id);
      if (entity?.enabled === true) instances.set(id, await this.#create(entity, trust));
    }
    this.#touched.clear();
    return instances.size === 0 ? NO_PLUGINS : new PluginSet(instances);
  }
}

/** Ends what only the snapshot before had. */
export function disposeGone(before: PluginSet, now: PluginSet): void {
  if (before === now) return;
  for (const [id, instance] of before.instances) {
    if (now.instances.get(id) !== instance) void endInstance(instance);
  }
}

/** Never rejects. */
export async function endInstance({ filters, release }: PluginInstance): Promise<void> {
  try {
    await filters.dispose?.();
  } catch {
    // Nobody is left to whom it matters.
  }
  release?.();
}
