/**
 * The targets of one upstream and which of them a request goes to, by the upstream's algorithm (algorithms/) or by what a
 * plugin wants in its place (choices.ts). A worker has one for each upstream and goes on with it as long as neither
 * upstream nor targets change.
 *
 * A target that is a host name is one member, whatever its name resolves to: the addresses take turns (by weight, those
 * of SRV records) when the target's turn comes, so that they share its weight, and a name that gets more addresses does
 * not get more traffic. Nothing is resolved here: peers.ts does that, for one request.
 *
 * Algorithms that go by what all workers know of a target have it from a zone between `open` and `close`, which are
 * called when a snapshot that has the balancer begins and ceases to be served. A target that stays is known by its
 * address, and keeps its state.
 */
import type { TargetLoad } from '../zone/targets/target-load.ts';
import type { TargetZone } from '../zone/targets/target-zone.ts';
import type { AlgorithmName } from './algorithms/registry.ts';
import type { Choice } from './choice.ts';
import { Choices } from './choices.ts';
import type { HashSource } from './hash-source.ts';
import type { UpstreamHealth } from './health/upstream-health.ts';
import type { BalancingPolicy } from './policy.ts';
import { byPriority } from './priorities.ts';

export interface TargetSpec {
  /** Name or address, without brackets around IPv6. */
  readonly host: string;
  readonly port: number;
  /** 0 takes no traffic. */
  readonly weight: number;
  /** Its group: those of 1 are used when none of 0 is left. 0 unless said. */
  readonly priority?: number;
}

export interface BalancerSpec {
  /** Upstream's `host_header`; null: the target's own name. */
  readonly hostHeader: string | null;
  readonly targets: readonly TargetSpec[];
  /** Upstream's `use_srv_name`: the Host header is the name of an SRV record's target, unless `hostHeader` says another. */
  readonly useSrvName?: boolean;
  /** Id of the upstream's `client_certificate`. */
  readonly clientCertificate?: string | null;
  /** 0 to 1: where this worker begins. */
  readonly start: number;
  /** Round robin unless said. */
  readonly algorithm?: AlgorithmName;
  /** What requests are hashed on. */
  readonly hashSource?: HashSource | null;
  /** Of consistent hashing; 10,000 unless said. */
  readonly slots?: number;
  /** The upstream's id: with the address it is what a target is known by in the zone. */
  readonly id?: string;
  /** Of the targets with a weight, by their index; null: nobody looks at it. */
  readonly health?: UpstreamHealth | null;
}

export class BalancerTarget {
  readonly index: number;
  readonly host: string;
  readonly port: number;
  /** The last lookup of its name failed: requests do not wait for it while there are other targets. */
  unresolved = false;
  /** Of the whole node, when the algorithm goes by it. */
  load: TargetLoad | null = null;
  readonly #name: string;
  /** Made when they are asked for: most targets that a change makes anew are gone before that. */
  #http: string | null = null;
  #https: string | null = null;
  readonly #useSrvName: boolean;

  constructor(
    index: number,
    { host, port }: TargetSpec,
    { hostHeader, useSrvName = false }: Pick<BalancerSpec, 'hostHeader' | 'useSrvName'>,
  ) {
    this.#useSrvName = useSrvName && hostHeader === null;
    this.index = index;
    this.host = host;
    this.port = port;
    this.#name = hostHeader ?? (host.includes(':') ? `[${host}]` : host);
  }

  /**
   * The Host header for a try on this port (an SRV record may say another than the target). As in Kong, the port stands
   * behind the upstream's `host_header`, too; unless that has one of its own.
   * @param name of the SRV record's target, when there is one.
   */
  authority(port: number, tls: boolean, name?: string): string {
    if (name !== undefined && this.#useSrvName) return withPort(name, port, tls ? 443 : 80);
    if (port !== this.port) return withPort(this.#name, port, tls ? 443 : 80);
    if (tls) return (this.#https ??= withPort(this.#name, port, 443));
    return (this.#http ??= withPort(this.#name, port, 80));
  }
}

export class Balancer {
  /** Id, or null: what targets get that ask for a certificate, unless the service has one. */
  readonly clientCertificate: string | null;
  /** The upstream's. */
  readonly id: string;
  /** Those with a weight, by priority. */
  readonly targets: readonly BalancerTarget[];
  readonly health: UpstreamHealth | null;
  readonly #own: Choice;
  readonly #choices: Choices;

  private constructor(spec: BalancerSpec, choices: Choices, previous: Balancer | null) {
    const { clientCertificate = null, id = '' } = spec;
    this.clientCertificate = clientCertificate;
    this.id = id;
    this.health = spec.health ?? null;
    this.targets = byPriority(spec.targets)
      .filter(({ weight }) => weight > 0)
      .map((target, index) => new BalancerTarget(index, target, spec));
    const unresolved = new Set(previous?.targets.filter((one) => one.unresolved).map(({ host }) => host));
    for (const target of this.targets) target.unresolved = unresolved.has(target.host);
    this.#choices = choices;
    this.#own = choices.own;
  }

  /** @param previous served this upstream until now. */
  static *inSteps(spec: BalancerSpec, previous: Balancer | null): Generator<void, Balancer> {
    const choices = yield* Choices.inSteps(spec, previous === null ? null : previous.#choices);
    return new Balancer(spec, choices, previous);
  }

  static of(spec: BalancerSpec, previous: Balancer | null = null): Balancer {
    const steps = Balancer.inSteps(spec, previous);
    for (;;) {
      const { done, value } = steps.next();
      if (done === true) return value;
    }
  }

  /** False: it has no target that takes traffic, or too little of them is healthy. */
  get healthy(): boolean {
    return this.targets.length > 0 && this.health?.open !== false;
  }

  /** The zone had no room: this worker balances by what it knows itself. */
  get alone(): boolean {
    return this.#choices.alone;
  }

  open(zone: TargetZone): void {
    this.#choices.open(zone, this.targets);
  }

  /** No snapshot that is served has it any more; requests that began with it go on. */
  close(): void {
    this.#choices.close();
  }

  /** The way of choosing by a policy; null: the upstream's own. */
  choice(policy: BalancingPolicy | null): Choice {
    return policy === null ? this.#own : this.#choices.of(policy, this.targets);
  }

  /**
   * The target that a request of this hash goes to, but for those, by index; null when there is none.
   * @param hash 32 bits, of `hashSource`.
   */
  next(passed: ReadonlySet<number> | null, hash = 0): BalancerTarget | null {
    return this.targets[this.#own.next(passed, hash)] ?? null;
  }
}

const HAS_PORT = /^(?:\[[^\]]*\]|[^:]*):\d+$/;

function withPort(name: string, port: number, usual: number): string {
  return port === usual || HAS_PORT.test(name) ? name : `${name}:${port}`;
}
