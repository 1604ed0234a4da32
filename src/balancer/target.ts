/** The targets of an upstream: as the configuration says them, and as requests meet them. */
import type { TargetLoad } from '../zone/targets/target-load.ts';
import type { AlgorithmName } from './algorithms/registry.ts';
import type { HashSource } from './hash-source.ts';
import type { UpstreamHealth } from './health/upstream-health.ts';

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

const HAS_PORT = /^(?:\[[^\]]*\]|[^:]*):\d+$/;

function withPort(name: string, port: number, usual: number): string {
  return port === usual || HAS_PORT.test(name) ? name : `${name}:${port}`;
}
