/**
 * Where the tries of one request go, among the targets of an upstream.
 *
 * A target that a try failed on is passed over until all others have had theirs. A target whose name does not resolve
 * is passed over, too, and after its first failure no request waits for it while another target can be used: it is
 * looked up in the background when its turn comes. Only when nothing else is left does a request wait for such names,
 * since the failure may be over by now; by then all of their lookups are under way, so that it waits for the slowest
 * and not for each in turn.
 *
 * A request whose first target answers allocates nothing but this object.
 */
import type { Balancer, BalancerTarget } from './balancer.ts';
import type { Resolver } from './resolver/resolver.ts';

export class Peers {
  /** Where the current try goes. */
  current: BalancerTarget | null = null;
  /** 32 bits of what the request is hashed on. */
  hash = 0;
  readonly #balancer: Balancer;
  readonly #resolver: Resolver;
  /** Indexes of targets that are out: `#tried`, `#skipped`, and those that were waited for in vain. */
  #passed: Set<number> | null = null;
  #tried: number[] | null = null;
  #skipped: number[] | null = null;
  /** A name was waited for in vain. */
  #waited = false;
  /** Nothing else is left: names are waited for again. */
  #patient = false;

  constructor(balancer: Balancer, resolver: Resolver) {
    this.#balancer = balancer;
    this.#resolver = resolver;
  }

  /** The next target, which may have to be resolved; null when none is left. */
  next(): BalancerTarget | null {
    for (;;) {
      const target = this.#balancer.next(this.#passed, this.hash);
      if (target === null) {
        if (this.#reconsider()) continue;
        return (this.current = null);
      }
      if (this.#worthWaiting(target)) return (this.current = target);
      this.#pass(target);
      (this.#skipped ??= []).push(target.index);
    }
  }

  /** The try on the current target failed. */
  failed(): void {
    if (this.current === null) return;
    this.#pass(this.current);
    (this.#tried ??= []).push(this.current.index);
  }

  /** The current target's name does not resolve. */
  unresolved(): void {
    if (this.current === null) return;
    this.current.unresolved = true;
    this.#waited = true;
    this.#pass(this.current);
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
