/** `definePlugin`: what `plugin.ts` of a plugin exports, of Sluice's own and of users' alike. */
import type { PluginDescription } from '../../entities/plugin-description.ts';
import type { Entity, Fields } from '../../entities/schema/field.ts';
import type { AdminEndpoint, StatusEndpoint } from './endpoints.ts';
import type { Filters } from './filters.ts';
import type { PluginServices } from './services.ts';

export interface PluginDefinition<F extends Fields = Fields> extends PluginDescription<F> {
  /** Below `/plugins-api/NAME` on the Admin API. */
  readonly adminEndpoints?: readonly AdminEndpoint[];
  /** Below `/plugins-api/NAME` on the Status API, for everybody to read. */
  readonly statusEndpoints?: readonly StatusEndpoint[];
  /**
   * Called once for each configuration, in each worker, when it is compiled. Throws when the configuration cannot work:
   * its routes then answer 500, and the reason is logged.
   */
  create(config: Entity<F>, gateway: PluginServices): Filters | Promise<Filters>;
}

/** Keeps the types: `config` of `create` has those of the fields. */
export function definePlugin<const F extends Fields>(definition: PluginDefinition<F>): PluginDefinition<F> {
  return definition;
}
