/**
 * A copy of a request beside it, for a `MirrorPolicy`. It is made of what the forward phase is about to send, goes through the
 * same pools, balancers and time-outs, and nobody waits for it: its answer is read up to a bound and thrown away.
 *
 * The copy has memory of its own (the head) or shares what nobody writes any more (the body), so it may outlive its request.
 * Whatever happens to it is told to the policy and to nobody else: neither the request nor the health of targets, which
 * traffic that nobody asked for must not change.
 */
import { performance } from 'node:perf_hooks';
import type { Balancer } from '../../balancer/balancer.ts';
import type { BalancerTarget } from '../../balancer/target.ts';
import { Peers } from '../../balancer/peers.ts';
import type { ResolvedName } from '../../balancer/resolver/resolver.ts';
import { GatewayError } from '../../lib/gateway-error.ts';
import { WheelTimer } from '../../lib/timer-wheel.ts';
import type { MirrorPolicy } from '../../plugins/kit/mirror.ts';
import type { ServiceTarget, Snapshot } from '../../snapshot/snapshot.ts';
import type { ClientStream, ClientStreamHandler, ResponseHead, Tunnel } from '../../wire/message.ts';
import type { Destination } from '../../wire/tls/destination.ts';
import type { TargetLoad } from '../../zone/targets/target-load.ts';
import type { ProxyContext } from '../context.ts';
import type { Exchange } from '../exchange.ts';
import { copyFor, type MirrorCopy, noMirrorBecause } from './mirror-copy.ts';
import type { UpstreamHead } from './upstream-head.ts';

/** The copy of a request that is about to be sent, to be started when that has been; null: there is none. */
export function mirrorOf(exchange: Exchange, head: UpstreamHead): MirroredRequest | null {
  const policy = exchange.edits?.mirror ?? null;
  if (policy === null) return null;
  const reason = noMirrorBecause(exchange, policy, head) ?? (policy.enter() ? null : 'in_flight');
  if (reason !== null) {
    policy.dropped(reason);
    return null;
  }
  try {
    return new MirroredRequest(exchange, policy, copyFor(exchange, policy, head));
  } catch {
    policy.failed('defect');
    return null;
  }
}

class MirroredRequest implements ClientStreamHandler {
  readonly #context: ProxyContext;
  readonly #snapshot: Snapshot;
  readonly #policy: MirrorPolicy;
  readonly #service: ServiceTarget;
  readonly #copy: MirrorCopy;
  readonly #balancer: Balancer | null;
  readonly #peers: Peers | null;
  readonly #timer: WheelTimer;
  #startedAt = 0;
  #to: Destination | null = null;
  #load: TargetLoad | null = null;
  #stream: ClientStream | null = null;
  /** A dead connection of the pool has been replaced. */
  #fresh = false;
  /** Of the answer, once its head is here. */
  #status = 0;
  #headMs = 0;
  #left: number;
  #over = false;

  constructor({ context, snapshot }: Exchange, policy: MirrorPolicy, copy: MirrorCopy) {
    this.#context = context;
    this.#snapshot = snapshot;
    this.#policy = policy;
    this.#service = copy.service;
    this.#copy = copy;
    this.#left = policy.maxAnswer;
    this.#balancer = snapshot.upstreams.of(copy.service);
    this.#peers = this.#balancer === null ? null : new Peers(this.#balancer, context.resolver);
    if (this.#peers !== null) this.#peers.hash = copy.hash;
    this.#timer = new WheelTimer(() => this.#fail('timeout'));
  }

  /** Never throws. */
  start(): void {
    this.#startedAt = performance.now();
    this.#context.wheel.arm(this.#timer, this.#policy.timeout, this.#startedAt);
    this.#guard(() => this.#resolve());
  }

  #resolve(): void {
    const target = this.#peers === null ? null : this.#peers.next();
    if (this.#peers !== null && target === null) return this.#fail('no_target');
    const { host } = target ?? this.#service;
    const { resolver } = this.#context;
    const known = resolver.peek(host);
    if (known !== null) return this.#connect(known, target);
    resolver.resolve(host).then(
      (resolved) => this.#guard(() => this.#connect(resolved, target)),
      () => this.#fail('name'),
    );
  }

  #connect(resolved: ResolvedName, target: BalancerTarget | null): void {
    if (this.#over) return;
    const peer =
      this.#peers === null || target === null ? resolved.next() : this.#peers.address(target, resolved);
    if (peer === null) return this.#resolve();
    const { tls } = this.#service;
    const port = peer.port ?? (target ?? this.#service).port;
    const { head } = this.#copy;
    if (target !== null) head.authority = target.authority(port, tls);
    const { upstreamTerms } = this.#context;
    const certificate = this.#balancer?.clientCertificate ?? null;
    this.#to = {
      host: peer.ip,
      port,
      tls: tls ? upstreamTerms.of(this.#service, certificate, this.#snapshot.trust, head.authority) : null,
    };
    this.#load = target?.load ?? null;
    this.#load?.begin();
    this.#take(this.#to);
  }

  #take(to: Destination): void {
    const { http2Pool, pool: http1Pool } = this.#context;
    const pool = this.#service.upstreamProtocol === 'h2' ? http2Pool : http1Pool;
    const { timeouts } = this.#service;
    const stream = this.#fresh ? pool.fresh(to, timeouts, this) : pool.take(to, timeouts, this);
    this.#stream = stream;
    if (stream.ready) this.onConnect();
  }

  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#fail(error instanceof GatewayError ? error.code : 'defect');
    }
  }

  #fail(reason: string): void {
    if (this.#end()) this.#policy.failed(reason);
  }

  /** All that was wanted of the answer is here. */
  #done(): void {
    if (this.#end()) this.#policy.sent(this.#status, this.#headMs);
  }

  /** False: it has ended before. */
  #end(): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#context.wheel.remove(this.#timer);
    this.#load?.end();
    this.#load = null;
    const stream = this.#stream;
    this.#stream = null;
    stream?.cancel();
    return true;
  }

  // ClientStreamHandler: the side of who gets the copy.

  onConnect(): void {
    const stream = this.#stream;
    if (stream === null) return;
    const { head, body } = this.#copy;
    stream.send(head);
    // Without a look at its credit: the body is bounded, and here already.
    for (const chunk of body) stream.write(chunk);
    stream.end(null);
    stream.flush();
  }

  onInform(): void {}

  onResponse({ status, bodyLength }: ResponseHead): void {
    this.#status = status;
    this.#headMs = performance.now() - this.#startedAt;
    if (bodyLength > this.#left) this.#done();
  }

  onBody(chunk: Buffer): void {
    this.#left -= chunk.length;
    if (this.#left < 0) this.#done();
  }

  onBodyEnd(): void {
    this.#stream = null;
    this.#done();
  }

  onReadEnd(): boolean {
    return false;
  }

  onDrain(): void {}

  /** It was not asked for. */
  onUpgrade(_head: ResponseHead, tunnel: Tunnel): void {
    this.#stream = null;
    tunnel.destroy();
    this.#fail('upgrade');
  }

  onError(error: GatewayError): void {
    const reused = this.#stream?.reused === true;
    this.#stream = null;
    const stale = error.retry === 'if-reused' || (error.retry === 'unprocessed' && reused);
    if (!stale || this.#fresh || this.#over || this.#to === null) return this.#fail(error.code);
    this.#fresh = true;
    const to = this.#to;
    this.#guard(() => this.#take(to));
  }
}
