/**
 * One try of a request at one address: connect, send, and hand back what comes. What follows when it fails is forward.ts's
 * to say, and so is where it goes.
 */
import { performance } from 'node:perf_hooks';
import type { BalancerTarget } from '../balancer/balancer.ts';
import type { Outcome } from '../balancer/health/report.ts';
import type { ResolvedAddress } from '../balancer/resolver/resolver.ts';
import type { GatewayError } from '../lib/gateway-error.ts';
import type { ServiceTarget } from '../snapshot/snapshot.ts';
import type { ClientStream, ClientStreamHandler, ResponseHead, Trailers, Tunnel } from '../wire/message.ts';
import type { UpstreamTls } from '../wire/tls/destination.ts';
import type { TargetLoad } from '../zone/targets/target-load.ts';
import type { Exchange } from './exchange.ts';
import type { Forward } from './forward.ts';

/** Milliseconds that a failure counts as at least: one that comes at once must not make its target the fastest. */
const FAILED_MS = 1000;

/** Where a try goes. */
export interface Place {
  /** Of the upstream; null: the service's own name. */
  readonly target: BalancerTarget | null;
  /** What its name resolved to. */
  readonly peer: ResolvedAddress;
  readonly port: number;
  /** The Host header. */
  readonly authority: string;
  readonly tls: UpstreamTls | null;
}

export class Attempt implements ClientStreamHandler {
  readonly place: Place;
  /** It replaces one on a connection of the pool that was dead, and takes a new one. */
  readonly fresh: boolean;
  readonly startedAt = performance.now();
  /** The request's head was sent. */
  sent = false;
  readonly #exchange: Exchange;
  readonly #forward: Forward;
  #stream: ClientStream | null = null;
  /** Of the target, when its algorithm goes by it, and as long as the try is in flight. */
  #load: TargetLoad | null;

  constructor(exchange: Exchange, forward: Forward, place: Place, fresh: boolean) {
    this.#exchange = exchange;
    this.#forward = forward;
    this.place = place;
    this.fresh = fresh;
    this.#load = place.target?.load ?? null;
  }

  begin({ upstreamProtocol, timeouts }: ServiceTarget): void {
    this.#load?.begin();
    const { context } = this.#exchange;
    const pool = upstreamProtocol === 'h2' ? context.http2Pool : context.pool;
    const to = { host: this.place.peer.ip, port: this.place.port, tls: this.place.tls };
    const stream = this.fresh ? pool.fresh(to, timeouts, this) : pool.take(to, timeouts, this);
    this.#stream = stream;
    if (stream.ready) this.onConnect();
  }

  /** Gives up: nothing more is heard of it. */
  cancel(): void {
    const stream = this.#stream;
    this.#stream = null;
    this.over();
    stream?.cancel();
  }

  /** However it ended: nothing of it is in flight any more. */
  over(): void {
    this.#load?.end();
    this.#load = null;
  }

  /** The client takes bytes again. */
  resume(): void {
    this.#stream?.resumeBody();
  }

  /** An answer, or the failure to give one, took so long. */
  #observe(ms: number): void {
    this.#load?.observe(ms);
  }

  // ClientStreamHandler: the upstream's side.

  onConnect(): void {
    if (this.#stream === null) return;
    this.sent = true;
    this.#forward.send(this, this.#stream);
  }

  onInform(head: ResponseHead): void {
    this.#exchange.stream.inform(head);
  }

  onResponse(head: ResponseHead): void {
    this.#forward.tell(this, head.status);
    this.#exchange.respond(head);
    this.#observe(this.#exchange.upstreamHeadAt - this.startedAt);
  }

  onBody(chunk: Buffer): void {
    if (!this.#exchange.sendBody(chunk)) this.#stream?.pauseBody();
  }

  onBodyEnd(trailers: Trailers | null): void {
    this.#stream = this.#forward.upstream = null;
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
    this.#stream = this.#forward.upstream = null;
    this.#exchange.switchProtocols(head, tunnel);
    this.#observe(this.#exchange.upstreamHeadAt - this.startedAt);
  }

  onError(error: GatewayError): void {
    // An upstream that refuses the stream has not begun it, whatever the method: on a session that served others that
    // may only mean that it goes away.
    const stale =
      error.retry === 'if-reused' || (error.retry === 'unprocessed' && this.#stream?.reused === true);
    this.#stream = this.#forward.upstream = null;
    const exchange = this.#exchange;
    const failed = !stale && !exchange.responded;
    if (failed) this.#observe(Math.max(performance.now() - this.startedAt, FAILED_MS));
    this.over();
    if (exchange.over) return;
    if (failed && error.source === 'upstream') this.#forward.tell(this, outcomeOf(error));
    this.#forward.failed(this, error, stale);
  }
}

function outcomeOf({ status }: GatewayError): Outcome {
  return status === 504 ? 'timeout' : 'tcp failure';
}
