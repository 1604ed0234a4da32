/**
 * Upstreams and targets as the builder knows them, and the `Upstreams` that come of them.
 *
 * Records only note what they touch. At the end the balancers of touched upstreams are made anew, from those before, and
 * all others go on as they are, in the middle of their rotation.
 */
import { Balancer } from '../balancer/balancer.ts';
import { type BalancerSpec, type TargetSpec } from '../balancer/target.ts';
import { HashSource } from '../balancer/hash-source.ts';
import { healthChecksOf } from '../balancer/health/health-checks.ts';
import { UpstreamHealth } from '../balancer/health/upstream-health.ts';
import { byPriority } from '../balancer/priorities.ts';
import { parseHost } from '../entities/formats/host.ts';
import { DEFAULT_PORT, priorityOf, type Target } from '../entities/target.ts';
import type { Upstream } from '../entities/upstream.ts';
import type { HealthZone } from '../zone/health/health-zone.ts';
import { Upstreams } from './upstreams.ts';

interface State {
  upstream: Upstream | null;
  /** By id. */
  readonly targets: Map<string, TargetSpec>;
  /** Under which its balancer stands in the last `Upstreams`. */
  servedName: string | null;
}

export class UpstreamIndex {
  readonly #states = new Map<string, State>();
  /** Of each target its upstream's id. */
  readonly #homes = new Map<string, string>();
  readonly #touched = new Set<string>();
  readonly #zone: HealthZone | null;

  /** @param zone null: targets have no health. */
  constructor(zone: HealthZone | null = null) {
    this.#zone = zone;
  }

  putUpstream(upstream: Upstream): void {
    this.#touch(upstream.id).upstream = upstream;
  }

  /** Its targets go with it. */
  removeUpstream(id: string): void {
    const state = this.#touch(id);
    state.upstream = null;
    for (const target of state.targets.keys()) this.#homes.delete(target);
    state.targets.clear();
  }

  putTarget(target: Target): void {
    this.removeTarget(target.id);
    this.#homes.set(target.id, target.upstream.id);
    this.#touch(target.upstream.id).targets.set(target.id, specOf(target));
  }

  removeTarget(id: string): void {
    const home = this.#homes.get(id);
    if (home === undefined) return;
    this.#homes.delete(id);
    this.#touch(home).targets.delete(id);
  }

  /**
   * What is served with all that was put and removed since the last call; `served` itself when that was nothing.
   * @param start 0 to 1: where balancers begin.
   */
  *commitInSteps(served: Upstreams, start: number): Generator<void, Upstreams> {
    if (this.#touched.size === 0) return served;
    const byName = new Map(served.byName);
    const states = [...this.#touched].map((id) => this.#touch(id));
    const before = new Map(states.map((state) => [state, served.byName.get(state.servedName ?? '') ?? null]));
    // All old names first: two upstreams may change names with each other.
    for (const { servedName } of states) if (servedName !== null) byName.delete(servedName);
    for (const state of states) {
      const { upstream, targets } = state;
      state.servedName = upstream?.name ?? null;
      if (upstream !== null) {
        const all = byPriority([...targets.values()]);
        const spec = { ...balancerSpec(upstream, all, start), health: this.#health(upstream, all) };
        byName.set(upstream.name, yield* Balancer.inSteps(spec, before.get(state) ?? null));
      }
      yield;
    }
    for (const id of this.#touched) if (this.#states.get(id)?.upstream === null) this.#states.delete(id);
    this.#touched.clear();
    return new Upstreams(byName);
  }

  /** Null: its targets have none. The indexes are those of the balancer, which leaves targets without weight out. */
  #health({ id, name, healthchecks }: Upstream, targets: readonly TargetSpec[]): UpstreamHealth | null {
    if (this.#zone === null || !healthchecks) return null;
    const checks = healthChecksOf(healthchecks);
    if (!checks.used && checks.threshold === 0) return null;
    const taking = targets.filter(({ weight }) => weight > 0);
    return new UpstreamHealth(this.#zone, { id, name, checks, targets: taking });
  }

  #touch(id: string): State {
    let state = this.#states.get(id);
    if (state === undefined) {
      this.#states.set(id, (state = { upstream: null, targets: new Map(), servedName: null }));
    }
    this.#touched.add(id);
    return state;
  }
}

function balancerSpec(upstream: Upstream, targets: readonly TargetSpec[], start: number): BalancerSpec {
  return {
    id: upstream.id,
    hostHeader: upstream.host_header,
    useSrvName: upstream.use_srv_name,
    clientCertificate: upstream.client_certificate?.id ?? null,
    algorithm: upstream.algorithm,
    slots: upstream.slots,
    hashSource: upstream.algorithm === 'consistent-hashing' ? new HashSource(upstream) : null,
    targets,
    start,
  };
}

/** `host:port`; the port may be missing in a file that says `_transform: false`. */
export function specOf({ target, weight, tags }: Target): TargetSpec {
  const parsed = parseHost(target);
  if (typeof parsed === 'string') throw new Error(`target '${target}': ${parsed}`);
  return { host: parsed.host, port: parsed.port ?? DEFAULT_PORT, weight, priority: priorityOf(tags) };
}
