/**
 * The targets of one upstream and whose turn it is. A worker has one for each upstream and goes on with it as long as
 * neither upstream nor targets change.
 *
 * A target that is a host name is one member of the rotation, whatever its name resolves to: the addresses take turns
 * (by weight, those of SRV records) when the target's turn comes, so that they share its weight, and a name that gets
 * more addresses does not get more traffic. Nothing is resolved here: peers.ts does that, for one request.
 */
import { Rotation } from './rotation.ts';

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
  /** Id of the upstream's `client_certificate`. */
  readonly clientCertificate?: string | null;
  /** 0 to 1: where this worker begins. */
  readonly start: number;
}

export class BalancerTarget {
  readonly index: number;
  readonly host: string;
  readonly port: number;
  /** The last lookup of its name failed: requests do not wait for it while there are other targets. */
  unresolved = false;
  readonly #name: string;
  readonly #http: string;
  readonly #https: string;

  constructor(index: number, { host, port }: TargetSpec, hostHeader: string | null) {
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
   */
  authority(port: number, tls: boolean): string {
    if (port === this.port) return tls ? this.#https : this.#http;
    return withPort(this.#name, port, tls ? 443 : 80);
  }
}

export class Balancer {
  /** Id, or null: what targets get that ask for a certificate, unless the service has one. */
  readonly clientCertificate: string | null;
  readonly #targets: readonly BalancerTarget[];
  readonly #rotation: Rotation;

  constructor({ hostHeader, targets, clientCertificate = null, start }: BalancerSpec) {
    this.clientCertificate = clientCertificate;
    const taking = targets.filter(({ weight }) => weight > 0);
    this.#targets = taking.map((target, index) => new BalancerTarget(index, target, hostHeader));
    this.#rotation = new Rotation(
      taking.map(({ weight }) => weight),
      start,
    );
  }

  /** The target whose turn it is but for those, by index; null when there is none. */
  next(passed: ReadonlySet<number> | null): BalancerTarget | null {
    const index = passed === null ? this.#rotation.next() : this.#rotation.nextBut(passed);
    return this.#targets[index] ?? null;
  }
}

const HAS_PORT = /^(?:\[[^\]]*\]|[^:]*):\d+$/;

function withPort(name: string, port: number, usual: number): string {
  return port === usual || HAS_PORT.test(name) ? name : `${name}:${port}`;
}
