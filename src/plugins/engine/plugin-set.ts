/**
 * All plugins of a snapshot, and the plans that come of them. For each name one configuration runs: see `candidates.ts`.
 *
 * Requests and streams have plans of their own: a configuration belongs to those whose protocols it names (Kong's
 * subsystems). Which of HTTP's protocols it names makes no difference, as in Kong.
 */
import { Candidates, type Scope } from './candidates.ts';
import type { PluginInstance } from './instance.ts';
import { type Entries, Plan, PlanMemory, type Selection } from './plan.ts';

const NO_CERTIFICATES: Plan['certificates'] = [];
const GLOBAL: Scope = { routeId: null, serviceId: null };

const HTTP: ReadonlySet<string> = new Set(['http', 'https', 'grpc', 'grpcs']);
const isHttp = (protocol: string): boolean => HTTP.has(protocol);

/** A route, as far as plans go by it: one object for each route of a snapshot. */
interface PlannedRoute {
  readonly id: string;
  readonly service: { readonly id: string } | null;
}

/** The plugins of one subsystem. */
class Plans {
  /** In the order in which they run. */
  readonly #candidates: readonly Candidates[];
  readonly #plans = new WeakMap<object, Plan>();
  readonly #memory = new PlanMemory();
  /** All that some configuration refers to. */
  readonly #consumers: ReadonlySet<string>;
  readonly #groups: ReadonlySet<string>;
  #global: Plan | null = null;

  constructor(instances: Iterable<PluginInstance>) {
    const byName = new Map<string, Candidates>();
    for (const instance of instances) {
      const { name } = instance.entity;
      let candidates = byName.get(name);
      if (candidates === undefined) byName.set(name, (candidates = new Candidates(instance)));
      candidates.add(instance);
    }
    this.#candidates = [...byName.values()].toSorted(
      (a, b) => b.priority - a.priority || (a.name < b.name ? 1 : -1),
    );
    this.#consumers = union(this.#candidates.map(({ consumers }) => consumers));
    this.#groups = union(this.#candidates.map(({ groups }) => groups));
  }

  get empty(): boolean {
    return this.#candidates.length === 0;
  }

  get global(): Plan {
    return (this.#global ??= this.#compile(GLOBAL));
  }

  of(route: PlannedRoute): Plan {
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
    const selection: Selection = {
      memory: this.#memory,
      consumers: this.#consumers,
      groups: this.#groups,
      select: (before: Entries, from, consumerId, groups) =>
        candidates.map((one, place) =>
          place < from ? (before[place] ?? null) : one.select(scope, consumerId, groups),
        ),
    };
    const asksWho = candidates.some(({ consumers, groups }) => consumers.size + groups.size > 0);
    return new Plan(entries, asksWho ? selection : null);
  }
}

/** Nearly always none or one of them has members. */
function union(sets: ReadonlyArray<ReadonlySet<string>>): ReadonlySet<string> {
  const some = sets.filter(({ size }) => size > 0);
  return some.length === 1
    ? (some[0] as ReadonlySet<string>)
    : new Set(some.flatMap((set) => Array.from(set)));
}

export class PluginSet {
  /** By id of their entity. */
  readonly instances: ReadonlyMap<string, PluginInstance>;
  readonly #requests: Plans;
  readonly #streams: Plans;

  constructor(instances: ReadonlyMap<string, PluginInstance>) {
    this.instances = instances;
    const all = [...instances.values()];
    this.#requests = new Plans(all.filter(({ entity }) => entity.protocols.some(isHttp)));
    this.#streams = new Plans(all.filter(({ entity }) => !entity.protocols.every(isHttp)));
  }

  /** Without any plugin a request passes no code of plugins at all. */
  get empty(): boolean {
    return this.#requests.empty;
  }

  get streamsEmpty(): boolean {
    return this.#streams.empty;
  }

  /** For requests whose route is not known, or that have none. */
  get global(): Plan {
    return this.#requests.global;
  }

  planOf(route: PlannedRoute): Plan {
    return this.#requests.of(route);
  }

  /** The same for a route of `stream_listen`. */
  streamPlanOf(route: PlannedRoute): Plan {
    return this.#streams.of(route);
  }

  get globalStream(): Plan {
    return this.#streams.global;
  }

  /** Filters of handshakes with clients: of requests, of streams. */
  get certificates(): Plan['certificates'] {
    return this.#requests.empty ? NO_CERTIFICATES : this.#requests.global.certificates;
  }

  get streamCertificates(): Plan['certificates'] {
    return this.#streams.empty ? NO_CERTIFICATES : this.#streams.global.certificates;
  }
}

export const NO_PLUGINS = new PluginSet(new Map());
