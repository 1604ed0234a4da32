/** A plugin's configuration with the filters that were made for it: one in each worker for each enabled plugin entity. */
import type { Plugin } from '../../entities/plugin.ts';
import type { Filters } from '../kit/filters.ts';
import type { ConfigSecrets } from '../services/config-secrets.ts';
import type { InstanceCost } from '../services/cost.ts';

export interface PluginInstance {
  readonly entity: Plugin;
  readonly priority: number;
  readonly filters: Filters;
  /** Its access filter says who calls (`identifies` of the description). */
  readonly identifies?: boolean;
  /** Why the filters could not be made, or null. They refuse every request then. */
  readonly broken: string | null;
  /** The references of its configuration; without any there is none. */
  readonly secrets?: ConfigSecrets;
  /** Where its calls are counted. */
  readonly cost?: InstanceCost;
  /** Ends what its services do for it; called when the configuration is gone, after `dispose` of its filters. */
  readonly release?: () => void;
}
