/** Which plugins configurations may use: those that exist here and that the setting `plugins` names. */
import type { PluginSchema } from '../../entities/plugin-description.ts';
import { PLUGIN_SCHEMAS } from '../../entities/plugin-schemas.ts';
import type { Settings } from '../../settings/settings.ts';
import type { ConfigStore } from '../../store/config-store.ts';

export function enabledPlugins(
  { plugins }: Pick<Settings, 'plugins'>,
  all: ReadonlyMap<string, PluginSchema> = PLUGIN_SCHEMAS,
): ReadonlyMap<string, PluginSchema> {
  if (plugins.includes('bundled')) return all;
  return new Map([...all].filter(([name]) => plugins.includes(name)));
}

/** Kong's words for a plugin that may not be used, or null. */
export function pluginProblem(name: unknown, settings: Pick<Settings, 'plugins'>): string | null {
  if (typeof name !== 'string' || enabledPlugins(settings).has(name)) return null;
  return `plugin '${name}' not enabled; add it to the 'plugins' configuration property`;
}

/** Names of the plugins that the configuration uses; looked up once for each revision. */
export class UsedPlugins {
  #revision = -1;
  #names: readonly string[] = [];

  async of(store: ConfigStore | null | undefined): Promise<readonly string[]> {
    if (store === null || store === undefined) return [];
    await store.refresh();
    if (store.revision !== this.#revision) {
      const names = new Set<string>();
      for (const plugin of store.all('plugins')) names.add(String(plugin['name']));
      this.#names = [...names];
      this.#revision = store.revision;
    }
    return this.#names;
  }
}
