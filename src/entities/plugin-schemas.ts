/** The plugins that may be configured, by name: those that Sluice has, and those that users' folders add. */
import { KONG_VERSION } from '../lib/version.ts';
import { SCHEMAS } from '../plugins/schemas.ts';
import { setEntitiesOf } from './plugin-entities.ts';
import { type PluginDescription, type PluginSchema, pluginSchema } from './plugin-description.ts';

const schemas = new Map<string, PluginSchema>();
for (const description of SCHEMAS) {
  schemas.set(description.name, pluginSchema(description, KONG_VERSION));
  setEntitiesOf(description.name, description.entities ?? []);
}

export const PLUGIN_SCHEMAS: ReadonlyMap<string, PluginSchema> = schemas;

/** Adds a plugin of a user's, or replaces an older version of it. */
export function addPluginSchema(description: PluginDescription): void {
  schemas.set(description.name, pluginSchema(description, '0.0.0'));
  setEntitiesOf(description.name, description.entities ?? []);
}

export function removePluginSchema(name: string): void {
  schemas.delete(name);
  setEntitiesOf(name, []);
}
