/**
 * The targets of one upstream and which of them a request goes to, by the upstream's algorithm (algorithms/). A worker
 * has one for each upstream and goes on with it as long as neither upstream nor targets change.
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
import { TargetZone } from '../zone/targets/target-zone.ts';
import type { Algorithm, AlgorithmSpec } from './algorithms/algorithm.ts';
import { ALGORITHMS, type AlgorithmName } from './algorithms/registry.ts';
import type { HashSource } from './hash-source.ts';
import type { UpstreamHealth } from './health/upstream-health.ts';

export interface TargetSpec {
  /** Name or address, without brackets around IPv6. */
  readonly host: string;
  readonly port: number;
  /** 0 takes no traffic. */
  readonly weight: number;
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
  readonly #http: string;
  readonly #https: string;
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
    this.#http = withPort(this.#name, port, 80);
    this.#https = withPort(this.#name, port, 443);
  }

  /**
   * The Host header for a try on this port (an SRV record may say another than the target). As in Kong, the port stands
   * behind the upstream's `host_header`, too; unless that has one of its own.
   * @param name of the SRV record's target, when there is one.
   */
  authority(port: number, tls: boolean, name?: string): string {
    if (name !== undefined && this.#useSrvName) return withPort(name, port, tls ? 443 : 80);
    if (port === this.port) return tls ? this.#https : this.#http;
    return withPort(this.#name, port, tls ? 443 : 80);
  }
}

export class Balancer {
  /** Id, or null: what targets get that ask for a certificate, unless the service has one. */
  readonly clientCertificate: string | null;
  /** Null: requests are not hashed. */
  readonly hashSource: HashSource | null;
  /** The zone had no room: this worker balances by what it knows itself. */
  alone = false;
  readonly #id: string;
  readonly #name: AlgorithmName;
  readonly health: UpstreamHealth | null;
  readonly #targets: readonly BalancerTarget[];
  readonly #spec: AlgorithmSpec;
  /** Null: it needs the zone. */
  #algorithm: Algorithm | null = null;

  private constructor(spec: BalancerSpec) {
    const { clientCertificate = null, hashSource = null, slots = DEFAULT_SLOTS } = spec;
    const taking = spec.targets.filter(({ weight }) => weight > 0);
    this.clientCertificate = clientCertificate;
    this.hashSource = hashSource;
    this.health = spec.health ?? null;
    this.#id = spec.id ?? '';
    this.#name = spec.algorithm ?? 'round-robin';
    this.#targets = taking.map((target, index) => new BalancerTarget(index, target, spec));
    const members = taking.map(({ host, port, weight }) => ({ name: `${host}:${port}`, weight }));
    this.#spec = { members, slots, start: spec.start, previous: null };
  }

  /** @param previous served this upstream until now. */
  static *inSteps(spec: BalancerSpec, previous: Balancer | null): Generator<void, Balancer> {
    const balancer = new Balancer(spec);
    const entry = ALGORITHMS[balancer.#name];
    const before = previous === null ? null : previous.#algorithm;
    if ('make' in entry) balancer.#algorithm = yield* entry.make({ ...balancer.#spec, previous: before });
    return balancer;
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
    return this.#targets.length > 0 && this.health?.open !== false;
  }

  open(zone: TargetZone): void {
    const entry = ALGORITHMS[this.#name];
    if (!('share' in entry) || this.#algorithm !== null) return;
    let from = zone;
    let loads = this.#acquire(zone);
    if (loads === null) {
      this.alone = true;
      from = TargetZone.standalone(this.#targets.length);
      loads = this.#acquire(from) ?? [];
    }
    this.#algorithm = entry.share(this.#spec, { zone: from, loads });
  }

  /** No snapshot that is served has it any more; requests that began with it go on. */
  close(): void {
    for (const { load } of this.#targets) load?.release();
  }

  /**
   * The target that a request of this hash goes to, but for those, by index; null when there is none.
   * @param hash 32 bits, of `hashSource`.
   */
  next(passed: ReadonlySet<number> | null, hash = 0): BalancerTarget | null {
    if (this.#algorithm === null) return null;
    return this.#targets[this.#algorithm.next(passed, hash)] ?? null;
  }

  /** All or none. */
  #acquire(zone: TargetZone): TargetLoad[] | null {
    const loads: TargetLoad[] = [];
    for (const { name } of this.#spec.members) {
      const load = zone.acquire(`${this.#id} ${name}`);
      if (load === null) {
        for (const taken of loads) taken.release();
        return null;
      }
      loads.push(load);
    }
    for (const [index, target] of this.#targets.entries()) target.load = loads[index] ?? null;
    return loads;
  }
}

const DEFAULT_SLOTS = 10_000;
const HAS_PORT = /^(?:\[[^\]]*\]|[^:]*):\d+$/;

function withPort(name: string, port: number, usual: number): string {
  return port === usual || HAS_PORT.test(name) ? name : `${name}:${port}`;
}
