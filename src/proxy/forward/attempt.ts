/**
 * One try of a request at one address: connect, send, and hand back what comes. What follows when it fails is forward.ts's
 * to say, and so is where it goes, and whether its answer is the one that the client gets (aside.ts: what becomes of others).
 */
import { performance } from 'node:perf_hooks';
import type { BalancerTarget } from '../../balancer/target.ts';
import type { Outcome } from '../../balancer/health/report.ts';
import type { ResolvedAddress } from '../../balancer/resolver/resolver.ts';
import type { GatewayError } from '../../lib/gateway-error.ts';
import { WheelTimer } from '../../lib/timer-wheel.ts';
import type { Passage } from '../../plugins/kit/gates.ts';
import type { ServiceTarget } from '../../snapshot/snapshot.ts';
import type {
  ClientStream,
  ClientStreamHandler,
  ResponseHead,
  Trailers,
  Tunnel,
} from '../../wire/message.ts';
import type { UpstreamTls } from '../../wire/tls/destination.ts';
import type { TargetLoad } from '../../zone/targets/target-load.ts';
import { type Aside, Discarded, Held, WORTH_BYTES, WORTH_MS } from './aside.ts';
import type { Exchange } from '../exchange.ts';
import { tryTimeout } from './errors.ts';
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
  /** Of the answer; 0 while there is none. */
  status = 0;
  /** What it had to pass, as long as it is in flight; null: nothing. */
  passage: Passage | null = null;
  readonly #exchange: Exchange;
  readonly #forward: Forward;
  #stream: ClientStream | null = null;
  /** Of the target, when its algorithm goes by it, and as long as the try is in flight. */
  #load: TargetLoad | null;
  /** Until the head, or until a body has been discarded. */
  #timer: WheelTimer | null = null;
  /** Null: the answer goes to the client. */
  #aside: Aside | null = null;

  constructor(exchange: Exchange, forward: Forward, place: Place, fresh: boolean) {
    this.#exchange = exchange;
    this.#forward = forward;
    this.place = place;
    this.fresh = fresh;
    this.#load = place.target?.load ?? null;
  }

  /** @param timeout milliseconds until the head of a response; null: as the service's time-outs say. */
  begin({ upstreamProtocol, timeouts }: ServiceTarget, timeout: number | null): void {
    this.#load?.begin();
    const { context } = this.#exchange;
    if (timeout !== null) this.#arm(timeout, () => this.#timedOut(timeout));
    const pool = upstreamProtocol === 'h2' ? context.http2Pool : context.pool;
    const to = { host: this.place.peer.ip, port: this.place.port, tls: this.place.tls };
    const stream = this.fresh ? pool.fresh(to, timeouts, this) : pool.take(to, timeouts, this);
    this.#stream = stream;
    if (stream.ready) this.onConnect();
  }

  /** Gives up: nothing more is heard of it. */
  cancel(): void {
    const stream = this.#letGo();
    this.over();
    stream?.cancel();
  }

  /** Another was faster: it would have taken so long at least. */
  lose(): void {
    if (this.#aside === null) this.#observe(performance.now() - this.startedAt);
    this.cancel();
  }

  /** However it ended: nothing of it is in flight any more. */
  over(): void {
    if (this.#timer !== null) this.#disarm(this.#timer);
    this.#load?.end();
    this.#load = null;
    this.#leavePassage();
  }

  /** The client takes bytes again. */
  resume(): void {
    this.#stream?.resumeBody();
  }

  /** Another try follows: the body is read as far as the connection is worth it. @param whole the request was sent. */
  discard({ bodyLength }: ResponseHead, whole: boolean): void {
    if (!whole || bodyLength > WORTH_BYTES) return this.cancel();
    this.#aside = new Discarded();
    this.#forward.leave(this.#stream);
    // Its place is for the try that follows, which would find it taken by this one.
    this.#leavePassage();
    this.#arm(WORTH_MS, () => this.cancel());
  }

  /** It waits whether there will be a better one. */
  hold(head: ResponseHead): void {
    this.#aside = new Held(head);
    this.#stream?.pauseBody();
  }

  /** There was none. */
  release(): void {
    const held = this.#aside;
    if (!(held instanceof Held)) return;
    this.#aside = null;
    const exchange = this.#exchange;
    exchange.respond(held.head);
    // A filter failed, and the client was told so.
    if (exchange.source !== 'service') return;
    let credit = true;
    for (const chunk of held.chunks) credit = exchange.sendBody(chunk);
    if (held.ended) exchange.sendEnd(held.trailers);
    else if (credit) this.#stream?.resumeBody();
    if (!exchange.over) exchange.stream.flush();
  }

  /** An answer, or the failure to give one, took so long. */
  #observe(ms: number): void {
    this.#load?.observe(ms);
  }

  #tellPassage(outcome: Outcome): void {
    if (this.passage === null) return;
    const now = performance.now();
    this.passage.tell(outcome, now - this.startedAt, now);
  }

  #leavePassage(): void {
    this.passage?.leave();
    this.passage = null;
  }

  /** Of what was there to be heard of. */
  #letGo(): ClientStream | null {
    const stream = this.#stream;
    this.#stream = null;
    this.#forward.leave(stream);
    return stream;
  }

  #arm(ms: number, fire: () => void): void {
    this.#timer = new WheelTimer(fire);
    this.#exchange.context.wheel.arm(this.#timer, ms);
  }

  #disarm(timer: WheelTimer): void {
    this.#exchange.context.wheel.remove(timer);
    this.#timer = null;
  }

  #timedOut(ms: number): void {
    const stream = this.#stream;
    stream?.cancel();
    this.onError(tryTimeout(ms));
  }

  // ClientStreamHandler: the upstream's side.

  onConnect(): void {
    if (this.#stream === null) return;
    this.sent = true;
    this.#forward.send(this, this.#stream);
  }

  onInform(head: ResponseHead): void {
    if (this.#forward.sole) this.#exchange.stream.inform(head);
  }

  onResponse(head: ResponseHead): void {
    if (this.#timer !== null) this.#disarm(this.#timer);
    this.status = head.status;
    this.#forward.tell(this, head.status);
    if (this.passage !== null) this.#tellPassage(judged(this.#exchange, head));
    if (!this.#forward.answered(this, head)) return this.#observe(performance.now() - this.startedAt);
    this.#exchange.respond(head);
    this.#observe(this.#exchange.upstreamHeadAt - this.startedAt);
  }

  onBody(chunk: Buffer): void {
    if (this.#aside !== null) {
      if (!this.#aside.add(chunk)) this.cancel();
    } else if (!this.#exchange.sendBody(chunk)) this.#stream?.pauseBody();
  }

  onBodyEnd(trailers: Trailers | null): void {
    this.#letGo();
    this.over();
    if (this.#aside === null) this.#exchange.sendEnd(trailers);
    else this.#aside.end(trailers);
  }

  onReadEnd(): boolean {
    const exchange = this.#exchange;
    if (this.#aside !== null || !exchange.responded || exchange.over) return false;
    const held = exchange.stream.flush();
    // Its connection goes on to another exchange, which has the memory of the head.
    if (this.#stream === null && !exchange.over) exchange.keepHeaders();
    return held;
  }

  onDrain(): void {
    this.#exchange.stream.resumeBody();
  }

  onUpgrade(head: ResponseHead, tunnel: Tunnel): void {
    if (this.#timer !== null) this.#disarm(this.#timer);
    this.#letGo();
    this.#tellPassage(head.status);
    this.#forward.tell(this, head.status);
    this.#exchange.switchProtocols(head, tunnel);
    this.#observe(this.#exchange.upstreamHeadAt - this.startedAt);
  }

  onError(error: GatewayError): void {
    // An upstream that refuses the stream has not begun it, whatever the method: on a session that served others that
    // may only mean that it goes away.
    const stale =
      error.retry === 'if-reused' || (error.retry === 'unprocessed' && this.#stream?.reused === true);
    this.#letGo();
    if (this.#aside !== null) {
      this.over();
      return this.#forward.lost(this);
    }
    const exchange = this.#exchange;
    const failed = !stale && !exchange.responded;
    if (failed) this.#observe(Math.max(performance.now() - this.startedAt, FAILED_MS));
    if (failed && error.source === 'upstream') this.#tellPassage(outcomeOf(error));
    this.over();
    if (exchange.over) return;
    if (failed && error.source === 'upstream') this.#forward.tell(this, outcomeOf(error));
    this.#forward.failed(this, error, stale);
  }
}

function outcomeOf({ status }: GatewayError): Outcome {
  return status === 504 ? 'timeout' : 'tcp failure';
}

/** What the statuses of gRPC that are an upstream's failures are in HTTP's: UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE, DATA_LOSS. */
const GRPC_FAILURES: Readonly<Record<string, number>> = { 2: 500, 4: 504, 13: 500, 14: 503, 15: 500 };

/** The status of an answer; of a gRPC call that has failed at once, the one that it means. */
function judged(exchange: Exchange, { status, headers }: ResponseHead): number {
  const failure = status === 200 ? headers.get('grpc-status') : undefined;
  return failure === undefined || !exchange.isGrpc ? status : (GRPC_FAILURES[failure] ?? status);
}
