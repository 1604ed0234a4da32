/** Plugins for a data plane in the test's own process: configurations of those that there are, or the test's own. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { Plugin } from '../../src/entities/plugin.ts';
import { plugins as definition } from '../../src/entities/plugin.ts';
import { EntityValidator } from '../../src/entities/schema/validate.ts';
import type { PluginInstance } from '../../src/plugins/engine/instance.ts';
import type { Filters } from '../../src/plugins/kit/filters.ts';
import { PluginSet } from '../../src/plugins/engine/plugin-set.ts';
import type { DataPlane } from '../../src/proxy/data-plane.ts';

/** A configuration of a built plugin, as an operator would write it. */
export interface ConfiguredPlugin {
  readonly name: string;
  readonly config?: object;
  readonly route?: { readonly id: string };
  readonly service?: { readonly id: string };
  readonly consumer?: { readonly id: string };
  readonly consumer_group?: { readonly id: string };
}

/** Filters of the test's own, under a name that need not exist. */
export interface InlinePlugin extends ConfiguredPlugin {
  readonly priority: number;
  readonly filters: Filters;
  readonly identifies?: boolean;
  readonly protocols?: readonly string[];
}

export type TestPlugin = ConfiguredPlugin | InlinePlugin;

export interface DirectoryRow {
  readonly kind: string;
  readonly entity: Readonly<Record<string, unknown>>;
}

const validator = new EntityValidator(definition);

/** The complete entity, with the defaults of the plugin's schema. */
export function pluginEntity({ name, config = {}, ...references }: ConfiguredPlugin): Plugin {
  const { entity, issues } = validator.validate(
    { input: { name, config, ...references } },
    { flavor: 'traditional_compatible', now: Date.now() / 1000 },
  );
  assert.deepEqual(issues, null);
  return entity as unknown as Plugin;
}

/** What is wrong with a configuration, as JSON; `null` when nothing is. */
export function pluginProblems({ name, config = {} }: ConfiguredPlugin): string {
  const { issues } = validator.validate(
    { input: { name, config } },
    { flavor: 'traditional_compatible', now: Date.now() / 1000 },
  );
  return JSON.stringify(issues);
}

/** The complete entity of a plugin that has no schema. */
export function inlineEntity({ name, config = {}, ...references }: ConfiguredPlugin): Plugin {
  const none = { route: null, service: null, consumer: null, consumer_group: null };
  const protocols = ['grpc', 'grpcs', 'http', 'https'];
  return {
    id: randomUUID(),
    name,
    config,
    enabled: true,
    protocols,
    ...none,
    ...references,
  } as unknown as Plugin;
}

export async function pluginSet(plane: DataPlane, plugins: readonly TestPlugin[]): Promise<PluginSet> {
  const instances = new Map<string, PluginInstance>();
  for (const plugin of plugins) {
    if ('filters' in plugin) {
      const { filters, priority, identifies = false, ...rest } = plugin;
      const entity = inlineEntity(rest);
      instances.set(entity.id, { entity, priority, filters, identifies, broken: null });
    } else {
      const instance = await plane.createPlugin(pluginEntity(plugin));
      assert.equal(instance.broken, null);
      instances.set(instance.entity.id, instance);
    }
  }
  return new PluginSet(instances);
}
