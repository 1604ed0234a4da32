/**
 * All plugins of a snapshot, and the plans that come of them. For each name one configuration runs: the first that there is
 * in the order of precedence (Kong's, with consumer groups where Kong Enterprise has them).
 */
import type { PluginInstance } from './instance.ts';
import { Plan } from './plan.ts';

/** What a plan is made for: a route with its service, or null for requests without a route. */
export interface Scope {
  readonly routeId: string | null;
  readonly serviceId: string | null;
}

const GLOBAL: Scope = { routeId: null, serviceId: null };

/** References that a configuration of that rank has: highest precedence first. */
const PRECEDENCE: ReadonlyArray<{ route?: true; service?: true; consumer?: true; group?: true }> = [
  { route: true, service: true, consumer: true },
  { route: true, service: true, group: true },
  { route: true, consumer: true },
  { service: true, consumer: true },
  { route: true, group: true },
  { service: true, group: true },
  { route: true, service: true },
  { consumer: true },
  { group: true },
  { route: true },
  { service: true },
  {},
];

const NOBODY: readonly string[] = [''];

/** Configurations of one plugin, by what they refer to. */
class Candidates {
  readonly name: string;
  readonly priority: number;
  readonly #byScope = new Map<string, PluginInstance>();
  readonly #routes = new Set<string>();
  readonly #services = new Set<string>();
  #anywhere = false;
  /** Some configuration refers to a consumer or a group. */
  asksWho = false;

  constructor({ entity, priority }: PluginInstance) {
    this.name = entity.name;
    this.priority = priority;
  }

  add(instance: PluginInstance): void {
    const { route, service, consumer, consumer_group: group } = instance.entity;
    this.#byScope.set(scopeKey(route?.id, service?.id, consumer?.id, group?.id), instance);
    if (consumer !== null || group !== null) this.asksWho = true;
    if (route !== null) this.#routes.add(route.id);
    else if (service !== null) this.#services.add(service.id);
    else this.#anywhere = true;
  }

  select(scope: Scope, consumerId: string | null, groups: readonly string[]): PluginInstance | null {
    for (const rank of PRECEDENCE) {
      if (rank.route && scope.routeId === null) continue;
      if (rank.service && scope.serviceId === null) continue;
      if (rank.consumer && consumerId === null) continue;
      for (const group of rank.group ? groups : NOBODY) {
        const found = this.#byScope.get(
          scopeKey(
            rank.route && scope.routeId,
            rank.service && scope.serviceId,
            rank.consumer && consumerId,
            group,
          ),
        );
        if (found !== undefined) return found;
      }
    }
    return null;
  }

  /** Some configuration could run in this scope, whoever calls. */
  concerns({ routeId, serviceId }: Scope): boolean {
    return this.#anywhere || this.#routes.has(routeId ?? '') || this.#services.has(serviceId ?? '');
  }
}

function scopeKey(...ids: ReadonlyArray<string | null | undefined>): string {
  return ids.map((id) => id || '-').join(' ');
}

export class PluginSet {
  readonly instances: ReadonlyMap<string, PluginInstance>;
  /** In the order in which they run. */
  readonly #candidates: readonly Candidates[];
  readonly #plans = new WeakMap<object, Plan>();
  #global: Plan | null = null;

  /** @param instances by id of their entity. */
  constructor(instances: ReadonlyMap<string, PluginInstance>) {
    this.instances = instances;
    const byName = new Map<string, Candidates>();
    for (const instance of instances.values()) {
      const { name } = instance.entity;
      let candidates = byName.get(name);
      if (candidates === undefined) byName.set(name, (candidates = new Candidates(instance)));
      candidates.add(instance);
    }
    this.#candidates = [...byName.values()].sort(
      (a, b) => b.priority - a.priority || (a.name < b.name ? 1 : -1),
    );
  }

  /** Without any plugin a request passes no code of plugins at all. */
  get empty(): boolean {
    return this.#candidates.length === 0;
  }

  /** For requests whose route is not known, or that have none. */
  get global(): Plan {
    return (this.#global ??= this.#compile(GLOBAL));
  }

  /** @param route one object for each route of a snapshot; plans are kept by it. */
  planOf(route: { readonly id: string; readonly service: { readonly id: string } | null }): Plan {
    let plan = this.#plans.get(route);
    if (plan === undefined) {
      plan = this.#compile({ routeId: route.id, serviceId: route.service?.id ?? null });
      this.#plans.set(route, plan);
    }
    return plan;
  }

  #compile(scope: Scope): Plan {
    const candidates = this.#candidates.filter((one) => one.concerns(scope));
    const entries = candidates.map((one) => one.select(scope, null, []));
    if (!candidates.some(({ asksWho }) => asksWho)) return new Plan(entries, null);
    const reselect = (plan: Plan, from: number, consumerId: string | null, groups: readonly string[]): Plan =>
      new Plan(
        candidates.map((one, place) =>
          place < from ? (plan.entries[place] ?? null) : one.select(scope, consumerId, groups),
        ),
        reselect,
      );
    return new Plan(entries, reselect);
  }
}

export const NO_PLUGINS = new PluginSet(new Map());
