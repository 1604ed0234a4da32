/**
 * The forward phase: resolve the service's name, take a connection, send the request, hand the response back; and try
 * again where Kong would (nginx's `error timeout`) or a policy says so. What a single try does is attempt.ts; when another
 * one follows, retrying.ts; several at once, race.ts.
 *
 * A try may be repeated when no byte of a response has come, the body is still here, and the upstream cannot have
 * acted twice: it never got the request, or its method is idempotent. A reused connection that turns out to be dead is
 * repeated on a new one without counting as a try, since it says nothing about the upstream.
 *
 * A service whose host is an upstream goes to the upstream's targets: each try to another one, as far as there are, and
 * among the addresses of a name to one that has not been tried.
 */
import type { BalancerTarget } from '../../balancer/target.ts';
import type { HashSource } from '../../balancer/hash-source.ts';
import type { Outcome } from '../../balancer/health/report.ts';
import { Peers } from '../../balancer/peers.ts';
import type { ResolvedName } from '../../balancer/resolver/resolver.ts';
import { GatewayError } from '../../lib/gateway-error.ts';
import type { RouteTarget, ServiceTarget } from '../../snapshot/snapshot.ts';
import { NO_RETRY, type RetryPolicy, type TryOutcome, type TryRecord } from '../../plugins/kit/tries.ts';
import type { ClientStream, ResponseHead, Trailers } from '../../wire/message.ts';
import { CELL } from '../../zone/worker-zone.ts';
import { Attempt, type Place } from './attempt.ts';
import type { Exchange } from '../exchange.ts';
import { defect, noPeer, resolveError } from './errors.ts';
import { Gating } from './gating.ts';
import { mirrorOf } from './mirror.ts';
import { Places } from './places.ts';
import { Race } from './race.ts';
import { answerOutcome, delayAfterFailure, isRepeatable } from './retrying.ts';
import { recordOf, TryLog } from './try-log.ts';
import { upstreamHead, type UpstreamHead } from './upstream-head.ts';

/** What is looked up. */
interface Named {
  readonly host: string;
  readonly port: number;
}

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
  readonly #places: Places;
  readonly #retryPolicy: RetryPolicy | null;
  /** Null: tries may go anywhere. */
  readonly #gating: Gating | null;
  /** Null: one try at a time. */
  #race: Race | null = null;
  /** It is time for another try, and the request is not all here. */
  #hedgeWaits = false;
  #head: UpstreamHead | null = null;
  #attempt: Attempt | null = null;
  /** Tries that came to nothing and were repeated. */
  #tries = 0;
  /** Null: all tries are under way, or the one that answered. */
  #log: TryLog | null = null;
  /** Before the next try. */
  #pause: NodeJS.Timeout | null = null;
  /** A replacement of a dead connection could not be made, and another target was asked instead: once for each request. */
  #spared = false;

  constructor(exchange: Exchange, route: RouteTarget, service: ServiceTarget) {
    this.#exchange = exchange;
    this.#route = route;
    this.#service = service;
    const { snapshot, edits } = exchange;
    const { resolver } = exchange.context;
    const balancer = snapshot.upstreams.of(service);
    const { balancing = null, affinity = null } = edits ?? {};
    this.#peers = balancer === null ? null : new Peers(balancer, resolver, balancing, affinity);
    this.#hashSource = this.#peers?.hashSource ?? null;
    const clientCertificate = balancer?.clientCertificate ?? null;
    this.#places = new Places(exchange, { route, service, peers: this.#peers, clientCertificate });
    this.#retryPolicy = edits?.retryPolicy ?? null;
    const gates = edits?.gates ?? null;
    const { host, port } = service;
    const multiplexed = service.upstreamProtocol === 'h2';
    const { circuits: zone } = exchange.context;
    this.#gating = gates === null ? null : new Gating(gates, { zone, balancer, host, port, multiplexed });
  }

  /** The request's head is settled and its body is here, or may stream. */
  start(): void {
    if (this.#hashSource !== null) this.#hash(this.#hashSource);
    const head = upstreamHead(this.#exchange, this.#route, this.#service);
    const bodyLength = this.#exchange.body?.outgoingLength ?? head.bodyLength;
    this.#head = bodyLength === head.bodyLength ? head : { ...head, bodyLength };
    this.#places.authority = head.authority;
    this.#retryPolicy?.begin();
    const hedging = this.#exchange.edits?.hedgePolicy ?? null;
    if (hedging?.hedges(head.method) === true && head.upgrade === '') {
      hedging.begin();
      this.#race = new Race(hedging, () => this.#guard(() => this.#hedge()));
    }
    const mirrored = this.#exchange.edits === null ? null : mirrorOf(this.#exchange, this.#head);
    this.#try();
    mirrored?.start();
  }

  /** What the upstream speaks, as `Via` says it. */
  get version(): '1.1' | '2' {
    return this.#service.upstreamProtocol === 'h2' ? '2' : '1.1';
  }

  /** What has been tried, for logs. */
  get tries(): readonly TryRecord[] {
    const last = this.#attempt;
    if (this.#log !== null) return this.#log.all(last);
    return last === null ? [] : [recordOf(last, null, null)];
  }

  cancel(): void {
    this.upstream = null;
    if (this.#pause !== null) clearTimeout(this.#pause);
    this.#pause = null;
    this.#gating?.leave();
    if (this.#race !== null) this.#race.cancel();
    this.#attempt?.cancel();
  }

  /** The exchange is. */
  over(): void {
    this.#gating?.leave();
    this.#attempt?.over();
  }

  /** The client takes bytes again. */
  resume(): void {
    this.#attempt?.resume();
  }

  /** All of the request's body has come. */
  end(trailers: Trailers | null): void {
    this.upstream?.end(trailers);
    if (!this.#hedgeWaits) return;
    this.#hedgeWaits = false;
    this.#guard(() => this.#hedge());
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
    if (this.#gating !== null) return this.#pass(this.#gating, replaced);
    if (this.#peers === null) return this.#resolve(this.#service, null, replaced);
    const target = replaced === null ? this.#peers.next() : replaced.place.target;
    if (target === null) return this.#noMore(noPeer());
    this.#resolve(target, target, replaced);
  }

  #pass(gating: Gating, replaced: Attempt | null): void {
    const next = (): void => this.#guard(() => this.#try());
    const fail = (error: GatewayError): void => this.#guard(() => this.#noMore(error));
    const passed = gating.pass(this.#peers, replaced?.place.target, next, fail);
    if (passed !== false) this.#resolve(passed.target ?? this.#service, passed.target, replaced);
  }

  #resolve({ host, port }: Named, target: BalancerTarget | null, replaced: Attempt | null): void {
    const { resolver } = this.#exchange.context;
    this.address = host;
    this.port = port;
    const known = resolver.peek(host);
    if (known !== null) return this.#attemptAt(known, target, replaced);
    resolver
      .resolve(host)
      .then((resolved) => {
        // Over, or answered: its body was malformed.
        if (!this.#exchange.answered) this.#attemptAt(resolved, target, replaced);
      })
      .catch((error: unknown) => {
        if (!this.#exchange.answered) this.#unresolved(target, resolveError(host, error));
      });
  }

  #unresolved(target: BalancerTarget | null, error: GatewayError): void {
    this.#gating?.leave();
    if (this.#peers === null || target === null) return this.#noMore(error);
    this.#exchange.context.reportError(this.#exchange, error);
    this.#peers.unresolved(target);
    this.#try();
  }

  #attemptAt(resolved: ResolvedName, target: BalancerTarget | null, replaced: Attempt | null): void {
    let place: Place | null;
    try {
      place = this.#places.of(resolved, target);
    } catch (error) {
      if (error instanceof GatewayError) return this.#exchange.fail(error);
      throw error;
    }
    // None of its addresses is healthy.
    if (place === null) {
      this.#gating?.leave();
      return this.#try();
    }
    const attempt = new Attempt(this.#exchange, this, place, replaced !== null);
    attempt.passage = this.#gating?.take() ?? null;
    this.#begin(attempt, false);
  }

  #begin(attempt: Attempt, hedge: boolean): void {
    this.#race?.join(attempt, hedge);
    this.#current(attempt);
    this.#exchange.proxied = true;
    attempt.begin(this.#service, this.#retryPolicy === null ? null : this.#retryPolicy.tryTimeout);
  }

  /** What logs and latencies go by. */
  #current(attempt: Attempt): void {
    this.#attempt = attempt;
    this.startedAt = attempt.startedAt;
    this.address = attempt.place.peer.ip;
    this.port = attempt.place.port;
  }

  // Several at once.

  /** The tries under way are slow: another one, where there is another address and all of the request is still here. */
  #hedge(): void {
    const race = this.#race;
    const { answered, body } = this.#exchange;
    const running = race?.running[0];
    if (running === undefined || answered || body?.replayable === false) return;
    if (body?.whole === false) {
      this.#hedgeWaits = true;
      return;
    }
    for (const { place } of race?.running ?? []) this.#places.avoid(place);
    const target = this.#peers === null ? null : (this.#peers.another() ?? running.place.target);
    const { host } = target ?? this.#service;
    const { resolver } = this.#exchange.context;
    const known = resolver.peek(host);
    if (known !== null) return this.#hedgeAt(known, target);
    resolver.resolve(host).then(
      (resolved) => this.#guard(() => this.#hedgeAt(resolved, target)),
      // The tries under way go on.
      () => {},
    );
  }

  #hedgeAt(resolved: ResolvedName, target: BalancerTarget | null): void {
    const race = this.#race;
    if (race === null || race.running.length === 0 || this.#exchange.answered) return;
    const place = this.#places.another(resolved, target);
    if (place === null) return;
    const passage = this.#gating?.beside(target) ?? null;
    if (passage === 'elsewhere') return this.#hedgeElsewhere(target);
    if ((passage === null && this.#gating !== null) || !race.policy.spend()) return passage?.leave();
    const attempt = new Attempt(this.#exchange, this, place, false);
    attempt.passage = passage;
    this.#begin(attempt, true);
  }

  /** A gate does not let it in there. */
  #hedgeElsewhere(target: BalancerTarget | null): void {
    if (target === null || this.#race?.running[0]?.place.target === target) return;
    this.#peers?.failed(target);
    this.#hedge();
  }

  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#exchange.fail(error instanceof GatewayError ? error : defect(error));
    }
  }

  // What a try tells.

  /** It is the only one: what it says in between is what the client hears. */
  get sole(): boolean {
    return this.#race === null || this.#race.all.length < 2;
  }

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

  /** Nothing more goes there. */
  leave(stream: ClientStream | null): void {
    if (this.upstream === stream) this.upstream = null;
  }

  /** What became of it, for its target's health. */
  tell({ place }: Attempt, outcome: Outcome): void {
    if (this.#peers === null || place.target === null) return;
    const change = this.#peers.tell(place.target, place.peer, outcome);
    if (change !== null) this.#exchange.context.reportHealth(change);
  }

  /** @returns whether the answer goes to the client. */
  answered(attempt: Attempt, head: ResponseHead): boolean {
    if (this.#race === null && this.#retryPolicy === null) return true;
    return !this.#waits(attempt, head) && !this.#repeats(attempt, head) && this.#win(attempt);
  }

  /** Another try under way may do better. */
  #waits(attempt: Attempt, head: ResponseHead): boolean {
    const race = this.#race;
    if (race === null || !race.hasRivals(attempt)) return false;
    const outcome = this.#outcome(head);
    const poor = race.policy.loses(head.status) || (outcome !== null && this.#retryPolicy?.wants(outcome));
    if (poor !== true) return false;
    race.leave(attempt);
    if (race.held === null) {
      race.held = attempt;
      attempt.hold(head);
      return true;
    }
    this.#note(attempt, 'next', head.status);
    attempt.discard(head, this.#exchange.body?.whole !== false);
    return true;
  }

  #repeats(attempt: Attempt, head: ResponseHead): boolean {
    const outcome = this.#outcome(head);
    // Without a target left to go to, this answer is the best there is.
    if (outcome === null || this.#peers?.open === false || this.#gating?.shut === true) return false;
    const delay = this.#retryPolicy?.decide(outcome) ?? NO_RETRY;
    if (delay === NO_RETRY) return false;
    this.#note(attempt, 'next', head.status);
    attempt.discard(head, this.#exchange.body?.whole !== false);
    this.#again(attempt, delay);
    return true;
  }

  #outcome(head: ResponseHead): TryOutcome | null {
    const policy = this.#retryPolicy;
    const counts = { tries: this.#tries, retries: this.#service.retries };
    return policy === null ? null : answerOutcome(this.#exchange, policy, head, counts);
  }

  #win(attempt: Attempt): true {
    for (const loser of this.#race?.won(attempt) ?? []) {
      if (loser.status > 0) this.#note(loser, 'next', loser.status);
      else this.#note(loser, 'cancelled', null);
    }
    this.#current(attempt);
    return true;
  }

  /** An answer that waited came to nothing. */
  lost(attempt: Attempt): void {
    if (this.#race?.held === attempt) this.#race.held = null;
  }

  /** @param stale its connection was of the pool, and dead: that says nothing. */
  failed(attempt: Attempt, error: GatewayError, stale: boolean): void {
    const exchange = this.#exchange;
    if (exchange.answered) return exchange.fail(error);
    this.#race?.leave(attempt);
    const repeatable = isRepeatable(exchange, attempt, error);
    if (stale && repeatable) return this.#try(attempt);
    this.#note(attempt, 'failed', error.status);
    if ((this.#race?.running.length ?? 0) > 0) {
      this.#places.avoid(attempt.place);
      return exchange.context.reportError(exchange, error);
    }
    const spared = repeatable && this.#spare(attempt);
    const counts = { tries: this.#tries, retries: this.#service.retries };
    const delay = spared ? 0 : delayAfterFailure(exchange, attempt, error, counts);
    if (delay === NO_RETRY) return this.#noMore(error);
    exchange.context.reportError(exchange, error);
    if (spared) this.#tries--;
    this.#again(attempt, delay);
  }

  #again(attempt: Attempt, delay: number): void {
    this.#tries++;
    this.#race?.leave(attempt);
    this.#places.avoid(attempt.place);
    this.#exchange.context.zone.increment(CELL.retries);
    if (delay === 0) return this.#try();
    this.#pause = setTimeout(() => {
      this.#pause = null;
      this.#guard(() => this.#try());
    }, delay);
  }

  /** No try follows: an answer that waits for a better one is the best there is. */
  #noMore(error: GatewayError): void {
    const race = this.#race;
    const held = race?.held ?? null;
    if (race === null || held === null) return this.#exchange.fail(error);
    this.#exchange.context.reportError(this.#exchange, error);
    this.#win(held);
    held.release();
  }

  #note(attempt: Attempt, state: TryRecord['state'], code: number | null): void {
    (this.#log ??= new TryLog()).add(attempt, state, code);
    // What is noted is not the last one.
    if (this.#attempt === attempt) this.#attempt = null;
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
