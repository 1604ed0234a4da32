/**
 * Which plugins a request meets, in which order: a list for each phase, compiled once for each route and kept, for each
 * consumer where some plugin asks for consumers.
 *
 * A plan has a place for each plugin name that could run on the route, in order of priority; so that when a consumer becomes
 * known in the middle of the access phase, the rest of the phase goes on at the same place of another plan.
 */
import type { Filters } from './kit/filters.ts';
import type { PluginInstance } from './instance.ts';

/** Consumers for which a plan keeps plans of their own. */
const KEPT = 4096;

type Phase =
  | 'rewrite'
  | 'access'
  | 'response'
  | 'headerFilter'
  | 'bodyFilter'
  | 'log'
  | 'preread'
  | 'streamLog';

/** An instance that has a filter for the phase. */
export type With<P extends keyof Filters> = PluginInstance & { readonly filters: Required<Pick<Filters, P>> };

/** Makes the entries of another consumer: those before `from` stay. */
export type Reselect = (
  plan: Plan,
  from: number,
  consumerId: string | null,
  groups: readonly string[],
) => Plan;

export class Plan {
  /** By place; null: no plugin of that name runs for this consumer. */
  readonly entries: ReadonlyArray<PluginInstance | null>;
  readonly response: ReadonlyArray<With<'response'>>;
  readonly headerFilters: ReadonlyArray<With<'headerFilter'>>;
  readonly bodyFilters: ReadonlyArray<With<'bodyFilter'>>;
  readonly logs: ReadonlyArray<With<'log'>>;
  readonly streamLogs: ReadonlyArray<With<'streamLog'>>;
  /** Null: no plugin of the route asks who calls. */
  readonly #reselect: Reselect | null;
  readonly #others = new Map<string, Plan>();

  constructor(entries: ReadonlyArray<PluginInstance | null>, reselect: Reselect | null) {
    this.entries = entries;
    this.#reselect = reselect;
    this.response = having(entries, 'response');
    this.headerFilters = having(entries, 'headerFilter');
    this.bodyFilters = having(entries, 'bodyFilter');
    this.logs = having(entries, 'log');
    this.streamLogs = having(entries, 'streamLog');
  }

  /** The plan to go on with at place `from`, now that it is known who calls. */
  for(from: number, consumerId: string | null, groups: readonly string[]): Plan {
    if (this.#reselect === null) return this;
    const key = `${from} ${consumerId ?? ''} ${groups.join(' ')}`;
    let found = this.#others.get(key);
    if (found !== undefined) return found;
    found = this.#reselect(this, from, consumerId, groups);
    if (this.#others.size >= KEPT) this.#others.clear();
    this.#others.set(key, found);
    return found;
  }
}

function having<P extends Phase>(entries: ReadonlyArray<PluginInstance | null>, phase: P): Array<With<P>> {
  return entries.filter((entry): entry is With<P> => entry?.filters[phase] !== undefined);
}
