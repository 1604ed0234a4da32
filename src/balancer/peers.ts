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
 * A request whose first target answers allocates nothing but this object.
 */
import type { Balancer, BalancerTarget } from './balancer.ts';
import type { Choice } from './choice.ts';
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

  /** @param policy null: as the upstream says. */
  constructor(balancer: Balancer, resolver: Resolver, policy: BalancingPolicy | null = null) {
    this.#balancer = balancer;
    this.#choice = balancer.choice(policy);
    this.#resolver = resolver;
  }

  /** The next target, which may have to be resolved; null when none is left. */
  next(): BalancerTarget | null {
    const { health, targets } = this.#balancer;
    if (health !== null && !health.open) return null;
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
    if (!this.open) return null;
    for (;;) {
      const target = this.#balancer.next(this.#passed ?? this.#balancer.health?.down ?? null, this.hash);
      if (target === null) return null;
      const up = this.#balancer.health?.available(target.index) !== false;
      if (up && this.#worthWaiting(target)) return target;
      this.#pass(target);
      if (up) (this.#skipped ??= []).push(target.index);
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
      target = this.next();
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
  tell({ index }: BalancerTarget, address: ResolvedAddress, outcome: Outcome): string | null {
    return this.#balancer.health?.tell(index, address, outcome) ?? null;
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
