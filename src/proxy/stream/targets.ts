/**
 * Where the tries of one stream go: the service's own name, or the targets of the upstream that it names. Asked for again
 * after a try that failed; names that do not resolve are passed over as for requests.
 */
import type { BalancerTarget } from '../../balancer/target.ts';
import { Peers } from '../../balancer/peers.ts';
import type { ResolvedAddress, ResolvedName } from '../../balancer/resolver/resolver.ts';
import type { ServiceTarget } from '../../snapshot/snapshot.ts';
import { hash32 } from '../../zone/hash32.ts';
import type { Stream } from './stream.ts';

/** Milliseconds that a failure counts as: one that comes at once must not make its target the fastest. */
const FAILED_MS = 1000;

export interface StreamTarget {
  readonly ip: string;
  readonly port: number;
  /** The target's name, with the port when it is not the usual one. */
  readonly authority: string;
}

export class StreamTargets {
  readonly #stream: Stream;
  readonly #service: ServiceTarget;
  readonly #peers: Peers | null;
  /** Where the current try goes, when it goes to a target. */
  #target: BalancerTarget | null = null;
  #address: ResolvedAddress | null = null;
  #tries = 0;

  constructor(stream: Stream, service: ServiceTarget) {
    this.#stream = stream;
    this.#service = service;
    const balancer = stream.snapshot.upstreams.of(service);
    this.#peers = balancer === null ? null : new Peers(balancer, stream.context.resolver);
    // All that a stream has of what `hash_on` may say; its requests have the same hash where they are hashed on it.
    if (this.#peers !== null) this.#peers.hash = hash32(stream.arrival.clientIp);
  }

  /** Calls `found` with where to go next, now or later; refuses the stream when there is nowhere. */
  next(found: (target: StreamTarget) => void): void {
    const { resolver } = this.#stream.context;
    this.#target = this.#peers?.next() ?? null;
    const to = this.#peers === null ? this.#service : this.#target;
    if (to === null)
      return this.#stream.refuse(502, 'stream_no_peer', 'failure to get a peer from the ring-balancer');
    const known = resolver.peek(to.host);
    if (known !== null) return this.#choose(to, known, found);
    resolver.resolve(to.host).then(
      (resolved) => {
        if (!this.#stream.over) this.#choose(to, resolved, found);
      },
      (error: unknown) => {
        if (!this.#stream.over) this.#unresolved(to.host, error, found);
      },
    );
  }

  /** After a try that failed: is there another one? */
  again(): boolean {
    this.failed();
    return this.#tries++ < this.#service.retries;
  }

  failed(): void {
    this.#tell('tcp failure');
    this.#stream.load?.observe(FAILED_MS);
    this.#stream.on(null);
    if (this.#target !== null) this.#peers?.failed(this.#target);
  }

  /** The try has its connection. */
  connected(): void {
    this.#tell('connected');
  }

  #unresolved(host: string, error: unknown, found: (target: StreamTarget) => void): void {
    const why = `${host} does not resolve: ${error instanceof Error ? error.message : String(error)}`;
    if (this.#peers === null || this.#target === null) return this.#stream.refuse(502, 'stream_dns', why);
    this.#stream.log('error', 'stream_dns', why);
    this.#peers.unresolved(this.#target);
    this.next(found);
  }

  /** A name all of whose addresses are unhealthy is passed over. */
  #choose(
    to: BalancerTarget | ServiceTarget,
    resolved: ResolvedName,
    found: (target: StreamTarget) => void,
  ): void {
    const target = this.#target;
    const address =
      this.#peers === null || target === null ? resolved.next() : this.#peers.address(target, resolved);
    if (address === null) return this.next(found);
    this.#address = address;
    found(this.#targetOf(to, address));
  }

  #tell(outcome: 'connected' | 'tcp failure'): void {
    if (this.#peers === null || this.#target === null || this.#address === null) return;
    const change = this.#peers.tell(this.#target, this.#address, outcome);
    if (change !== null) this.#stream.log('warn', 'health', change);
  }

  #targetOf(to: BalancerTarget | ServiceTarget, { ip, port, name }: ResolvedAddress): StreamTarget {
    this.#stream.on(this.#target?.load ?? null);
    const chosen = port ?? to.port;
    const authority = 'authority' in to ? to.authority(chosen, true, name) : this.#service.hostHeader;
    return { ip, port: chosen, authority };
  }
}
