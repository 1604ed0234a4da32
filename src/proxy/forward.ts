/**
 * The forward phase: resolve the service's name, take a connection, send the request, hand the response back; and try
 * again where Kong would (nginx's `error timeout`).
 *
 * A try may be repeated when no byte of a response has come, the body is still here, and the upstream cannot have
 * acted twice: it never got the request, or its method is idempotent. A reused connection that turns out to be dead is
 * repeated on a new one without counting as a try, since it says nothing about the upstream.
 *
 * A service whose host is an upstream goes to the upstream's targets: each try to another one, as far as there are.
 */
import { performance } from 'node:perf_hooks';
import type { BalancerTarget } from '../balancer/balancer.ts';
import type { HashSource } from '../balancer/hash-source.ts';
import type { Outcome } from '../balancer/health/report.ts';
import { Peers } from '../balancer/peers.ts';
import type { ResolvedName } from '../balancer/resolver/resolver.ts';
import { GatewayError } from '../lib/gateway-error.ts';
import type { RouteTarget, ServiceTarget } from '../snapshot/snapshot.ts';
import type { Trust } from '../snapshot/trust.ts';
import type { ClientStream, ClientStreamHandler, ResponseHead, Trailers, Tunnel } from '../wire/message.ts';
import type { UpstreamTls } from '../wire/tls/destination.ts';
import type { TargetLoad } from '../zone/targets/target-load.ts';
import { CELL } from '../zone/worker-zone.ts';
import type { Exchange } from './exchange.ts';
import { noPeer, resolveError } from './forward-errors.ts';
import { keepsHost, upstreamHead, type UpstreamHead } from './upstream-head.ts';

/** nginx never sends these twice once they were sent. */
const NOT_IDEMPOTENT: ReadonlySet<string> = new Set(['POST', 'LOCK', 'PATCH']);

/** Milliseconds that a failure counts as at least: one that comes at once must not make its target the fastest. */
const FAILED_MS = 1000;

export class Forward implements ClientStreamHandler {
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
  /** Of the target that the try is on, when its algorithm goes by it. */
  #load: TargetLoad | null = null;
  /** The upstream's, by id. */
  readonly #clientCertificate: string | null;
  /** Of the snapshot that has the service. */
  readonly #trust: Trust;
  #head: UpstreamHead | null = null;
  #stream: ClientStream | null = null;
  #sent = false;
  #tries = 0;
  /** This try replaces one on a connection of the pool that was dead. */
  #replacing = false;
  /** Such a try could not be made, and another target has been asked instead: once for each request. */
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
    this.#try(false);
  }

  /** What the upstream speaks, as `Via` says it. */
  get version(): '1.1' | '2' {
    return this.#service.upstreamProtocol === 'h2' ? '2' : '1.1';
  }

  cancel(): void {
    const stream = this.#stream;
    this.#stream = this.upstream = null;
    this.over();
    stream?.cancel();
  }

  /** The try is, however it ended: nothing of it is in flight any more. */
  over(): void {
    this.#load?.end();
    this.#load = null;
  }

  /** The client takes bytes again. */
  resume(): void {
    this.#stream?.resumeBody();
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

  #try(fresh: boolean): void {
    const { resolver } = this.#exchange.context;
    const to = this.#peers === null ? this.#service : this.#nextPeer(this.#peers, fresh);
    if (to === null) return this.#exchange.fail(noPeer());
    const { host, port } = to;
    this.address = host;
    this.port = port;
    const known = resolver.peek(host);
    if (known !== null) return this.#connect(known, fresh);
    resolver
      .resolve(host)
      .then((resolved) => {
        // Over, or answered: its body was malformed.
        if (!this.#exchange.responded) this.#connect(resolved, fresh);
      })
      .catch((error: unknown) => {
        if (!this.#exchange.responded) this.#unresolved(resolveError(host, error));
      });
  }

  /** A connection that was found dead is replaced by one to the same target. */
  #nextPeer(peers: Peers, fresh: boolean): BalancerTarget | null {
    return fresh ? peers.current : peers.next();
  }

  #unresolved(error: GatewayError): void {
    if (this.#peers === null) return this.#exchange.fail(error);
    this.#exchange.context.reportError(this.#exchange, error);
    this.#peers.unresolved();
    this.#try(false);
  }

  #connect(resolved: ResolvedName, fresh: boolean): void {
    const peer = this.#peers === null ? resolved.next() : this.#peers.address(resolved);
    if (peer === null) return this.#try(false);
    const { ip, port } = peer;
    const { context } = this.#exchange;
    const pool = this.#service.upstreamProtocol === 'h2' ? context.http2Pool : context.pool;
    this.address = ip;
    this.port = port ?? this.port;
    const target = this.#peers?.current;
    if (target && this.#head !== null && !this.#keepsHost()) {
      this.#head.authority = target.authority(this.port, this.#service.tls);
    }
    this.startedAt = performance.now();
    this.#exchange.proxied = true;
    this.#replacing = fresh;
    this.#sent = false;
    const { timeouts } = this.#service;
    let tls: UpstreamTls | null = null;
    try {
      if (this.#service.tls) tls = this.#terms();
    } catch (error) {
      if (error instanceof GatewayError) return this.#exchange.fail(error);
      throw error;
    }
    this.#begin(target?.load ?? null);
    const to = { host: ip, port: this.port, tls };
    const stream = fresh ? pool.fresh(to, timeouts, this) : pool.take(to, timeouts, this);
    this.#stream = stream;
    if (stream.ready) this.onConnect();
  }

  #keepsHost(): boolean {
    return (this.#exchange.edits?.host ?? null) !== null || keepsHost(this.#exchange, this.#route);
  }

  #begin(load: TargetLoad | null): void {
    this.#load = load;
    load?.begin();
  }

  /** Of TLS, for the Host header of this try. @throws GatewayError when what the service wants is not there. */
  #terms(): UpstreamTls {
    const { upstreamTerms } = this.#exchange.context;
    const authority = this.#head?.authority ?? '';
    return upstreamTerms.of(this.#service, this.#clientCertificate, this.#trust, authority);
  }

  // ClientStreamHandler: the upstream's side.

  onConnect(): void {
    const stream = this.#stream;
    if (stream === null || this.#head === null) return;
    this.#sent = true;
    this.upstream = stream;
    stream.send(this.#head);
    const { body } = this.#exchange;
    if (body !== null) body.sendTo(stream);
    else if (this.#head.bodyLength === 0) stream.end(null);
    stream.flush();
  }

  onInform(head: ResponseHead): void {
    this.#exchange.stream.inform(head);
  }

  onResponse(head: ResponseHead): void {
    this.#tell(head.status);
    this.#exchange.respond(head);
    this.#load?.observe(this.#exchange.upstreamHeadAt - this.startedAt);
  }

  onBody(chunk: Buffer): void {
    if (!this.#exchange.sendBody(chunk)) this.#stream?.pauseBody();
  }

  onBodyEnd(trailers: Trailers | null): void {
    this.#stream = this.upstream = null;
    this.over();
    this.#exchange.sendEnd(trailers);
  }

  onReadEnd(): boolean {
    const exchange = this.#exchange;
    if (!exchange.responded || exchange.over) return false;
    const held = exchange.stream.flush();
    // Its connection goes on to another exchange, which has the memory of the head.
    if (this.#stream === null && !exchange.over) exchange.keepHeaders();
    return held;
  }

  onDrain(): void {
    this.#exchange.stream.resumeBody();
  }

  onUpgrade(head: ResponseHead, tunnel: Tunnel): void {
    this.#stream = this.upstream = null;
    this.#exchange.switchProtocols(head, tunnel);
    this.#load?.observe(this.#exchange.upstreamHeadAt - this.startedAt);
  }

  /**
   * A dead connection of the pool says nothing and costs no try; when its target cannot be connected to either, nothing of
   * the request was sent anywhere that could answer. So one whose target has just died goes to another one.
   */
  #spare(): boolean {
    const spared = this.#replacing && !this.#sent && !this.#spared && this.#peers !== null;
    this.#spared ||= spared;
    return spared;
  }

  #tell(outcome: Outcome): void {
    const change = this.#peers?.tell(outcome) ?? null;
    if (change !== null) this.#exchange.context.reportHealth(change);
  }

  onError(error: GatewayError): void {
    // An upstream that refuses the stream has not begun it, whatever the method: on a session that served others that
    // may only mean that it goes away.
    const unprocessed = error.retry === 'unprocessed';
    const stale = error.retry === 'if-reused' || (unprocessed && this.#stream?.reused === true);
    this.#stream = this.upstream = null;
    const exchange = this.#exchange;
    if (!stale && !exchange.responded) {
      this.#load?.observe(Math.max(performance.now() - this.startedAt, FAILED_MS));
    }
    this.over();
    if (exchange.over) return;
    if (!stale && !exchange.responded && error.source === 'upstream') {
      this.#tell(error.status === 504 ? 'timeout' : 'tcp failure');
    }
    const repeatable =
      error.retry !== 'never' &&
      (exchange.body === null || exchange.body.replayable) &&
      (!this.#sent || unprocessed || !NOT_IDEMPOTENT.has(exchange.edits?.method ?? exchange.method));
    const spared = this.#spare();
    if (!repeatable || exchange.answered || (!stale && !spared && this.#tries >= this.#service.retries))
      return exchange.fail(error);
    if (!stale) {
      if (!spared) this.#tries++;
      this.#peers?.failed();
      exchange.context.zone.increment(CELL.retries);
      exchange.context.reportError(exchange, error);
    }
    this.#try(stale);
  }
}
