/** Plugins that were written for `kong-pdk` (npm), run in process: what such a module exports, as a plugin of the kit. */
import type { PluginDefinition } from '../kit/define.ts';

interface KongModule {
  readonly Plugin: new (config: unknown) => object;
}

function isKongModule(exported: unknown): exported is KongModule {
  return (
    typeof exported === 'object' && exported !== null && typeof (exported as KongModule).Plugin === 'function'
  );
}

/**
 * @param exported what the file exports (`module.exports`, or the default export of an ES module).
 * @param name of the file without its ending: the plugin's, unless the module says another.
 * @returns null: it is no plugin of `kong-pdk`. @throws Error what is wrong with it.
 */
export function adaptKongPdk(exported: unknown, name: string): PluginDefinition | null {
  if (!isKongModule(exported)) return null;
  throw new Error(`${name}: plugins of kong-pdk are not built yet`);
}
