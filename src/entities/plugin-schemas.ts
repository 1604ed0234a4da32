/**
 * The plugins that exist here: what the control plane has to know of each. A plugin that is built adds a line; from it
 * come the validation of its configuration, `/schemas/plugins/NAME`, `/plugins/enabled`, and what `/` says.
 */
import type { EntityVariant } from './schema/field.ts';

export interface PluginSchema extends EntityVariant {
  /** Kong's version and priority of the plugin, which clients show. */
  readonly version: string;
  readonly priority: number;
}

export const PLUGIN_SCHEMAS: ReadonlyMap<string, PluginSchema> = new Map();
