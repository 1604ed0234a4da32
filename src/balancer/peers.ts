/**
 * Where the tries of one request go, among the targets of an upstream.
 *
 * A target that a try failed on is passed over until all others have had theirs. A target whose name does not resolve
 * is passed over, too, and after its first failure no request waits for it while another target can be used: it is
 * looked up in the background when its turn comes. Only when nothing else is left does a request wait for such names,
 * since the failure may be over by now; by then all of their lookups are under way, so that it waits for the slowest
 * and not for each in turn.
 *
 * Targets that are unhealthy are passed over by all requests, and when too little is healthy nobody is let through.
 *
 * A request that wants a certain target (affinity.ts) has it first, as long as it can be used.
 *
 * A request whose first target answers allocates nothing but this object.
 */
import type { Affinity } from './affinity.ts';
import type { Balancer } from './balancer.ts';
import type { BalancerTarget } from './target.ts';
import type { Choice } from './choice.ts';
import type { HashSource } from './hash-source.ts';
import type { Outcome } from './health/report.ts';
import type { BalancingPolicy } from './policy.ts';
import type { ResolvedAddress, ResolvedName, Resolver } from './resolver/resolver.ts';

export class Peers {
  /** 32 bits of what the request is hashed on. */
  hash = 0;
  readonly #balancer: Balancer;
  readonly #choice: Choice;
  readonly #resolver: Resolver;
  /** Indexes of targets that are out for this request: `#tried`, `#skipped`, and those that were waited for in vain. */
  #passed: Set<number> | null = null;
  #tried: number[] | null = null;
  #skipped: number[] | null = null;
  /** A name was waited for in vain. */
  #waited = false;
  /** Nothing else is left: names are waited for again. */
  #patient = false;
  readonly #affinity: Affinity | null;
  /** The target that the request wants and has not been at, or has to stay at. */
  #wanted: BalancerTarget | null = null;

  /** @param policy null: as the upstream says. @param affinity null: any target will do. */
  constructor(
    balancer: Balancer,
    resolver: Resolver,
    policy: BalancingPolicy | null = null,
    affinity: Affinity | null = null,
  ) {
    this.#balancer = balancer;
    this.#choice = balancer.choice(policy);
    this.#resolver = resolver;
    this.#affinity = affinity;
    if (affinity !== null) this.#wanted = balancer.targets[affinity.wanted(balancer)] ?? null;
  }

  /** What requests are hashed on; null: they are not. */
  get hashSource(): HashSource | null {
    return this.#choice.hashSource;
  }

  /** The next target, which may have to be resolved; null when none is left. */
  next(): BalancerTarget | null {
    const { health, targets } = this.#balancer;
    if (health !== null && !health.open) return null;
    if (this.#wanted !== null) {
      const wanted = this.#take(this.#wanted);
      if (wanted !== null || this.#affinity?.strict === true) return wanted;
    }
    for (;;) {
      const target = targets[this.#choice.next(this.#passed, this.hash)] ?? null;
      if (target === null) {
        if (this.#reconsider()) continue;
        return null;
      }
      if (this.#worthWaiting(target)) return target;
      this.#pass(target);
      (this.#skipped ??= []).push(target.index);
    }
  }

  /** One that no try went to, for a try beside others; null: there is none. */
  another(): BalancerTarget | null {
    if (!this.open || this.#affinity?.strict === true) return null;
    for (;;) {
      const target = this.#balancer.targets[this.#choice.next(this.#passed, this.hash)] ?? null;
      if (target === null || this.#worthWaiting(target)) return target;
      this.#pass(target);
      (this.#skipped ??= []).push(target.index);
    }
  }

  /** Enough of the upstream is healthy. */
  get open(): boolean {
    return this.#balancer.health?.open !== false;
  }

  /** The next one that a gate lets the request in to. The next try asks those anew that it did not. */
  nextThrough(gate: { enter(index: number): boolean }): BalancerTarget | null {
    let refused: number[] | null = null;
    let target = this.next();
    while (target !== null && !gate.enter(target.index)) {
      this.#pass(target);
      (refused ??= []).push(target.index);
      target = this.#affinity?.strict === true ? null : this.next();
    }
    if (refused !== null) for (const index of refused) this.#passed?.delete(index);
    return target;
  }

  /** Where on the target a try goes; null when none of its addresses is healthy: to the next target. */
  address(target: BalancerTarget, name: ResolvedName): ResolvedAddress | null {
    const { health } = this.#balancer;
    if (health === null) return name.next();
    const address = health.pick(target.index, name);
    if (address === null) this.#pass(target);
    return address;
  }

  /** What became of a try, for the target's health. @returns a line for the log when that is another now. */
  tell(target: BalancerTarget, address: ResolvedAddress, outcome: Outcome): string | null {
    if (typeof outcome === 'number') this.#affinity?.met(this.#balancer, target);
    return this.#balancer.health?.tell(target.index, address, outcome) ?? null;
  }

  /** A try on it failed. */
  failed(target: BalancerTarget): void {
    this.#pass(target);
    (this.#tried ??= []).push(target.index);
  }

  /** Its name does not resolve. */
  unresolved(target: BalancerTarget): void {
    target.unresolved = true;
    this.#waited = true;
    this.#pass(target);
  }

  /** The wanted one, once, or as long as the request may go nowhere else; null: it cannot be used. */
  #take(wanted: BalancerTarget): BalancerTarget | null {
    const { index } = wanted;
    if (this.#affinity?.strict !== true) this.#wanted = null;
    if (this.#balancer.health?.available(index) === false) return null;
    if (this.#passed?.has(index) === true) return this.#tried?.includes(index) === true ? wanted : null;
    return this.#affinity?.strict === true || this.#worthWaiting(wanted) ? wanted : null;
  }

  #worthWaiting(target: BalancerTarget): boolean {
    if (this.#patient || (!target.unresolved && !this.#waited)) return true;
    if (this.#resolver.peek(target.host) === null) {
      this.#resolver.resolve(target.host).then(
        () => (target.unresolved = false),
        () => (target.unresolved = true),
      );
      return false;
    }
    target.unresolved = false;
    return true;
  }

  #pass(target: BalancerTarget): void {
    (this.#passed ??= new Set()).add(target.index);
  }

  /** All are out: lets those in that were only skipped, then those that failed before. */
  #reconsider(): boolean {
    const again = this.#skipped ?? this.#tried;
    if (again === null) return false;
    if (this.#skipped === null) this.#tried = null;
    else this.#patient = true;
    this.#skipped = null;
    for (const index of again) this.#passed?.delete(index);
    return true;
  }
}
