/**
 * Where on a name the tries of one request go: address, port, Host header and the terms of TLS. A try that follows another
 * goes to an address that was not tried, as long as there is one, whatever other requests had meanwhile.
 */
import type { BalancerTarget } from '../../balancer/target.ts';
import type { Peers } from '../../balancer/peers.ts';
import type { ResolvedAddress, ResolvedName } from '../../balancer/resolver/resolver.ts';
import type { RouteTarget, ServiceTarget } from '../../snapshot/snapshot.ts';
import type { UpstreamTls } from '../../wire/tls/destination.ts';
import type { Place } from './attempt.ts';
import type { Exchange } from '../exchange.ts';
import { keepsHost } from './upstream-head.ts';

export interface PlacesSpec {
  readonly route: RouteTarget;
  readonly service: ServiceTarget;
  /** Null: a service without balancing. */
  readonly peers: Peers | null;
  /** The upstream's, by id. */
  readonly clientCertificate: string | null;
}

export class Places {
  /** The Host header, where the target does not say another. */
  authority = '';
  readonly #exchange: Exchange;
  readonly #spec: PlacesSpec;
  /** Null: none was in vain. */
  #used: Place[] | null = null;

  constructor(exchange: Exchange, spec: PlacesSpec) {
    this.#exchange = exchange;
    this.#spec = spec;
  }

  /** Null: none of the addresses takes requests. @throws GatewayError when what the service wants of TLS is not there. */
  of(resolved: ResolvedName, target: BalancerTarget | null): Place | null {
    return this.#at(this.#address(resolved, target, false), target);
  }

  /** None that was tried; null: there is no other. @throws GatewayError likewise */
  another(resolved: ResolvedName, target: BalancerTarget | null): Place | null {
    return this.#at(this.#address(resolved, target, true), target);
  }

  /** Tries that follow go elsewhere, as far as there is anything else. */
  avoid(place: Place): void {
    if (this.#used?.includes(place) === true) return;
    (this.#used ??= []).push(place);
    if (place.target !== null) this.#spec.peers?.failed(place.target);
  }

  #at(peer: ResolvedAddress | null, target: BalancerTarget | null): Place | null {
    if (peer === null) return null;
    const { service } = this.#spec;
    const port = portOf(peer, target ?? service);
    const authority =
      target === null || this.#keepsHost() ? this.authority : target.authority(port, service.tls, peer.name);
    return { target, peer, port, authority, tls: service.tls ? this.#terms(authority) : null };
  }

  #address(resolved: ResolvedName, target: BalancerTarget | null, another: boolean): ResolvedAddress | null {
    const used = this.#used;
    let address = this.#next(resolved, target);
    if (used === null) return address;
    for (let left = resolved.addresses.length; left > 0 && address !== null; left--) {
      if (!this.#isUsed(used, address, target)) return address;
      address = this.#next(resolved, target);
    }
    return another ? null : address;
  }

  #next(resolved: ResolvedName, target: BalancerTarget | null): ResolvedAddress | null {
    const { peers } = this.#spec;
    return peers === null || target === null ? resolved.next() : peers.address(target, resolved);
  }

  #isUsed(used: readonly Place[], address: ResolvedAddress, target: BalancerTarget | null): boolean {
    const port = portOf(address, target ?? this.#spec.service);
    return used.some(
      (place) => place.target === target && place.peer.ip === address.ip && place.port === port,
    );
  }

  #keepsHost(): boolean {
    return (this.#exchange.edits?.host ?? null) !== null || keepsHost(this.#exchange, this.#spec.route);
  }

  #terms(authority: string): UpstreamTls {
    const { context, snapshot } = this.#exchange;
    const { service, clientCertificate } = this.#spec;
    return context.upstreamTerms.of(service, clientCertificate, snapshot.trust, authority);
  }
}

/** The port of an SRV record counts instead. */
function portOf({ port }: ResolvedAddress, named: { readonly port: number }): number {
  return port ?? named.port;
}
