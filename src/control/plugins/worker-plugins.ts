/**
 * Users' plugins in a worker: new code is made ready beside what is served (`stage`), and takes its place (`take`) only when
 * every worker could do that. Requests that are in flight end with the filters that they began with.
 */
import type { Plugin } from '../../entities/plugin.ts';
import type { PluginInstance } from '../../plugins/engine/instance.ts';
import { type BlockedPlugin, setBlocked } from '../../plugins/users/blocked.ts';
import {
  type PluginBundle,
  type StagedBundle,
  type UserPlugin,
  goLive,
  liveGeneration,
  replacedVersions,
} from '../../plugins/users/live.ts';
import type { SnapshotBuilder } from '../../snapshot/builder.ts';
import { endInstance } from '../../snapshot/plugin-index.ts';
import type { Snapshot } from '../../snapshot/snapshot.ts';
import type { HeldByPlugins } from '../protocol.ts';

export interface WorkerPluginsOptions {
  readonly builder: SnapshotBuilder;
  readonly create: (entity: Plugin, staged?: UserPlugin) => Promise<PluginInstance>;
  readonly serve: (snapshot: Snapshot) => void;
}

interface Ready {
  readonly staged: StagedBundle;
  readonly instances: ReadonlyMap<string, PluginInstance>;
}

export class WorkerPlugins {
  readonly #options: WorkerPluginsOptions;
  #ready: Ready | null = null;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: WorkerPluginsOptions) {
    this.#options = options;
  }

  /** @throws Error when one cannot be made for a configuration for which the code that is served could. */
  stage(bundle: PluginBundle): Promise<void> {
    return this.#next(() => this.#stage(bundle));
  }

  take(bundle: PluginBundle): Promise<HeldByPlugins> {
    return this.#next(async () => {
      if (bundle.generation !== liveGeneration()) {
        if (this.#ready?.staged.generation !== bundle.generation) await this.#stage(bundle);
        await this.#take();
      }
      return { versions: replacedVersions(), timers: timers() };
    });
  }

  drop(): Promise<void> {
    return this.#next(() => {
      this.#drop();
      return Promise.resolve();
    });
  }

  block(blocked: readonly BlockedPlugin[]): Promise<void> {
    return this.#next(async () => {
      const names = setBlocked(blocked);
      const { builder, create, serve } = this.#options;
      serve(await builder.replacePlugins(await builder.renewPlugins(names, create)));
    });
  }

  /** Makes those anew whose vaults say something else than when they were made. One that cannot be made goes on as it was. */
  renewSecrets(): Promise<void> {
    return this.#next(async () => {
      const { builder, create, serve } = this.#options;
      const { instances } = builder.current.plugins;
      const changed = new Set(
        [...instances].filter(([, { secrets }]) => secrets?.changed() === true).map(([id]) => id),
      );
      if (changed.size === 0) return;
      const renewed = await builder.renewPlugins(changed, (entity) => create(entity));
      for (const [id, instance] of renewed) {
        if (instance.broken === null || instances.get(id)?.broken !== null) continue;
        renewed.delete(id);
        void endInstance(instance);
      }
      if (renewed.size > 0) serve(await builder.replacePlugins(renewed));
    });
  }

  async #stage(bundle: PluginBundle): Promise<void> {
    this.#drop();
    const { stageBundle } = await import('../../plugins/users/bundle.ts');
    const staged = await stageBundle(bundle);
    const { builder, create } = this.#options;
    const names = new Set(staged.changed.keys());
    const served = builder.current.plugins.instances;
    const instances = await builder.renewPlugins(names, (entity) =>
      create(entity, staged.changed.get(entity.name)),
    );
    this.#ready = { staged, instances };
    for (const { entity, broken } of instances.values()) {
      if (broken === null || served.get(entity.id)?.broken !== null) continue;
      this.#drop();
      throw new Error(`plugin ${entity.name} (${entity.id}): ${broken}`);
    }
  }

  async #take(): Promise<void> {
    const ready = this.#ready;
    this.#ready = null;
    if (ready === null) return;
    goLive(ready.staged);
    this.#options.serve(await this.#options.builder.replacePlugins(ready.instances));
  }

  #drop(): void {
    for (const instance of this.#ready?.instances.values() ?? []) void endInstance(instance);
    this.#ready = null;
  }

  #next<T>(step: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(step);
    this.#queue = done.catch(() => undefined);
    return done;
  }
}

function timers(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
}
