/** Configurations of one plugin, by what they refer to, and which of them runs: the first of Kong's order of precedence. */
import type { PluginInstance } from './instance.ts';

/** What a plan is made for: a route with its service, or null for requests without a route. */
export interface Scope {
  readonly routeId: string | null;
  readonly serviceId: string | null;
}

/** References that a configuration of that rank has: highest precedence first. Kong's, with groups as Kong Enterprise has them. */
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

export class Candidates {
  readonly name: string;
  readonly priority: number;
  readonly #byScope = new Map<string, PluginInstance>();
  readonly #routes = new Set<string>();
  readonly #services = new Set<string>();
  #anywhere = false;
  /** What configurations refer to. */
  readonly consumers = new Set<string>();
  readonly groups = new Set<string>();

  constructor({ entity, priority }: PluginInstance) {
    this.name = entity.name;
    this.priority = priority;
  }

  add(instance: PluginInstance): void {
    const { route, service, consumer, consumer_group: group } = instance.entity;
    this.#byScope.set(scopeKey(route?.id, service?.id, consumer?.id, group?.id), instance);
    if (consumer !== null) this.consumers.add(consumer.id);
    if (group !== null) this.groups.add(group.id);
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
