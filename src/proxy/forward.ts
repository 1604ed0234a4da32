/**
 * The forward phase: resolve the service's name, take a connection, send the request, hand the response back; and try
 * again where Kong would (nginx's `error timeout`). What a single try does is attempt.ts.
 *
 * A try may be repeated when no byte of a response has come, the body is still here, and the upstream cannot have
 * acted twice: it never got the request, or its method is idempotent. A reused connection that turns out to be dead is
 * repeated on a new one without counting as a try, since it says nothing about the upstream.
 *
 * A service whose host is an upstream goes to the upstream's targets: each try to another one, as far as there are.
 */
import type { BalancerTarget } from '../balancer/balancer.ts';
import type { HashSource } from '../balancer/hash-source.ts';
import type { Outcome } from '../balancer/health/report.ts';
import { Peers } from '../balancer/peers.ts';
import type { ResolvedName } from '../balancer/resolver/resolver.ts';
import { GatewayError } from '../lib/gateway-error.ts';
import type { RouteTarget, ServiceTarget } from '../snapshot/snapshot.ts';
import type { Trust } from '../snapshot/trust.ts';
import type { ClientStream } from '../wire/message.ts';
import type { UpstreamTls } from '../wire/tls/destination.ts';
import { CELL } from '../zone/worker-zone.ts';
import { Attempt, type Place } from './attempt.ts';
import type { Exchange } from './exchange.ts';
import { noPeer, resolveError } from './forward-errors.ts';
import { keepsHost, upstreamHead, type UpstreamHead } from './upstream-head.ts';

/** nginx never sends these twice once they were sent. */
const NOT_IDEMPOTENT: ReadonlySet<string> = new Set(['POST', 'LOCK', 'PATCH']);

export class Forward {
  /** `performance.now()` when the current try had its address: Kong counts what was before as the gateway's time. */
  startedAt = 0;
  /** Where the current try goes, for logs: the service's name until it is resolved. */
  address = '';
  port = 0;
  /** Where the body goes: set once the head was sent. */
  upstream: ClientStream | null = null;
  readonly #exchange: Exchange;
  readonly #route: RouteTarget;
  readonly #service: ServiceTarget;
  /** Null: a service without balancing. */
  readonly #peers: Peers | null;
  /** What requests to the upstream are hashed on. */
  readonly #hashSource: HashSource | null;
  /** The upstream's, by id. */
  readonly #clientCertificate: string | null;
  /** Of the snapshot that has the service. */
  readonly #trust: Trust;
  #head: UpstreamHead | null = null;
  #attempt: Attempt | null = null;
  /** Tries that failed and were repeated. */
  #tries = 0;
  /** A replacement of a dead connection could not be made, and another target was asked instead: once for each request. */
  #spared = false;

  constructor(exchange: Exchange, route: RouteTarget, service: ServiceTarget) {
    this.#exchange = exchange;
    this.#route = route;
    this.#service = service;
    const { snapshot } = exchange;
    const { resolver } = exchange.context;
    const balancer = snapshot.upstreams.of(service);
    this.#peers = balancer === null ? null : new Peers(balancer, resolver);
    this.#hashSource = balancer?.hashSource ?? null;
    this.#clientCertificate = balancer?.clientCertificate ?? null;
    this.#trust = snapshot.trust;
  }

  /** The request's head is settled and its body is here, or may stream. */
  start(): void {
    if (this.#hashSource !== null) this.#hash(this.#hashSource);
    const head = upstreamHead(this.#exchange, this.#route, this.#service);
    const bodyLength = this.#exchange.body?.outgoingLength ?? head.bodyLength;
    this.#head = bodyLength === head.bodyLength ? head : { ...head, bodyLength };
    this.#try();
  }

  /** What the upstream speaks, as `Via` says it. */
  get version(): '1.1' | '2' {
    return this.#service.upstreamProtocol === 'h2' ? '2' : '1.1';
  }

  cancel(): void {
    this.upstream = null;
    this.#attempt?.cancel();
  }

  /** The exchange is. */
  over(): void {
    this.#attempt?.over();
  }

  /** The client takes bytes again. */
  resume(): void {
    this.#attempt?.resume();
  }

  flushRequest(): void {
    this.upstream?.flush();
  }

  /** Before the head is edited for the upstream. */
  #hash(source: HashSource): void {
    const { hash, setCookie } = source.of(this.#exchange);
    if (this.#peers !== null) this.#peers.hash = hash;
    this.#exchange.balancerCookie = setCookie;
  }

  /** @param replaced a try whose connection was dead: it is made anew, at the same target. */
  #try(replaced: Attempt | null = null): void {
    if (this.#peers === null) return this.#resolve(this.#service, null, replaced);
    const target = replaced === null ? this.#peers.next() : replaced.place.target;
    if (target === null) return this.#exchange.fail(noPeer());
    this.#resolve(target, target, replaced);
  }

  #resolve(
    { host, port }: { readonly host: string; readonly port: number },
    target: BalancerTarget | null,
    replaced: Attempt | null,
  ): void {
    const { resolver } = this.#exchange.context;
    this.address = host;
    this.port = port;
    const known = resolver.peek(host);
    if (known !== null) return this.#attemptAt(known, target, replaced);
    resolver
      .resolve(host)
      .then((resolved) => {
        // Over, or answered: its body was malformed.
        if (!this.#exchange.responded) this.#attemptAt(resolved, target, replaced);
      })
      .catch((error: unknown) => {
        if (!this.#exchange.responded) this.#unresolved(target, resolveError(host, error));
      });
  }

  #unresolved(target: BalancerTarget | null, error: GatewayError): void {
    if (this.#peers === null || target === null) return this.#exchange.fail(error);
    this.#exchange.context.reportError(this.#exchange, error);
    this.#peers.unresolved(target);
    this.#try();
  }

  #attemptAt(resolved: ResolvedName, target: BalancerTarget | null, replaced: Attempt | null): void {
    let place: Place | null;
    try {
      place = this.#place(resolved, target);
    } catch (error) {
      if (error instanceof GatewayError) return this.#exchange.fail(error);
      throw error;
    }
    // None of its addresses is healthy.
    if (place === null) return this.#try();
    const attempt = new Attempt(this.#exchange, this, place, replaced !== null);
    this.#attempt = attempt;
    this.startedAt = attempt.startedAt;
    this.#exchange.proxied = true;
    attempt.begin(this.#service);
  }

  /** @throws GatewayError when what the service wants of TLS is not there. */
  #place(resolved: ResolvedName, target: BalancerTarget | null): Place | null {
    const peer =
      this.#peers === null || target === null ? resolved.next() : this.#peers.address(target, resolved);
    if (peer === null) return null;
    this.address = peer.ip;
    this.port = peer.port ?? this.port;
    const { tls } = this.#service;
    const authority =
      target === null || this.#keepsHost() ? (this.#head?.authority ?? '') : target.authority(this.port, tls);
    return { target, peer, port: this.port, authority, tls: tls ? this.#terms(authority) : null };
  }

  #keepsHost(): boolean {
    return (this.#exchange.edits?.host ?? null) !== null || keepsHost(this.#exchange, this.#route);
  }

  #terms(authority: string): UpstreamTls {
    const { upstreamTerms } = this.#exchange.context;
    return upstreamTerms.of(this.#service, this.#clientCertificate, this.#trust, authority);
  }

  // What a try tells.

  /** It is connected. */
  send({ place }: Attempt, stream: ClientStream): void {
    const head = this.#head;
    if (head === null) return;
    this.upstream = stream;
    head.authority = place.authority;
    stream.send(head);
    const { body } = this.#exchange;
    if (body !== null) body.sendTo(stream);
    else if (head.bodyLength === 0) stream.end(null);
    stream.flush();
  }

  /** What became of it, for its target's health. */
  tell({ place }: Attempt, outcome: Outcome): void {
    if (this.#peers === null || place.target === null) return;
    const change = this.#peers.tell(place.target, place.peer, outcome);
    if (change !== null) this.#exchange.context.reportHealth(change);
  }

  /** @param stale its connection was of the pool, and dead: that says nothing. */
  failed(attempt: Attempt, error: GatewayError, stale: boolean): void {
    const exchange = this.#exchange;
    const spared = this.#spare(attempt);
    const may = stale || spared || this.#tries < this.#service.retries;
    if (!may || exchange.answered || !this.#repeatable(attempt, error)) return exchange.fail(error);
    if (stale) return this.#try(attempt);
    if (!spared) this.#tries++;
    const { target } = attempt.place;
    if (target !== null) this.#peers?.failed(target);
    exchange.context.zone.increment(CELL.retries);
    exchange.context.reportError(exchange, error);
    this.#try();
  }

  #repeatable(attempt: Attempt, error: GatewayError): boolean {
    const { body, edits, method } = this.#exchange;
    return (
      error.retry !== 'never' &&
      (body === null || body.replayable) &&
      (!attempt.sent || error.retry === 'unprocessed' || !NOT_IDEMPOTENT.has(edits?.method ?? method))
    );
  }

  /**
   * A dead connection of the pool says nothing and costs no try; when its target cannot be connected to either, nothing of
   * the request was sent anywhere that could answer. So one whose target has just died goes to another one.
   */
  #spare(attempt: Attempt): boolean {
    const spared = attempt.fresh && !attempt.sent && !this.#spared && this.#peers !== null;
    this.#spared ||= spared;
    return spared;
  }
}
