/**
 * The targets of one upstream and which of them a request goes to, by the upstream's algorithm (algorithms/) or by what a
 * plugin wants in its place (choices.ts). A worker has one for each upstream and goes on with it as long as neither
 * upstream nor targets change.
 *
 * A target that is a host name is one member, whatever its name resolves to: the addresses take turns (by weight, those
 * of SRV records) when the target's turn comes, so that they share its weight, and a name that gets more addresses does
 * not get more traffic. Nothing is resolved here: peers.ts does that, for one request.
 *
 * Algorithms that go by what all workers know of a target have it from a zone between `open` and `close`, which are
 * called when a snapshot that has the balancer begins and ceases to be served. A target that stays is known by its
 * address, and keeps its state.
 */
import type { TargetZone } from '../zone/targets/target-zone.ts';
import type { Choice } from './choice.ts';
import { Choices } from './choices.ts';
import type { UpstreamHealth } from './health/upstream-health.ts';
import type { BalancingPolicy } from './policy.ts';
import { byPriority } from './priorities.ts';
import { type BalancerSpec, BalancerTarget } from './target.ts';

export class Balancer {
  /** Id, or null: what targets get that ask for a certificate, unless the service has one. */
  readonly clientCertificate: string | null;
  /** The upstream's. */
  readonly id: string;
  /** Those with a weight, by priority. */
  readonly targets: readonly BalancerTarget[];
  readonly health: UpstreamHealth | null;
  readonly #own: Choice;
  readonly #choices: Choices;

  private constructor(spec: BalancerSpec, choices: Choices, previous: Balancer | null) {
    const { clientCertificate = null, id = '' } = spec;
    this.clientCertificate = clientCertificate;
    this.id = id;
    this.health = spec.health ?? null;
    this.targets = byPriority(spec.targets)
      .filter(({ weight }) => weight > 0)
      .map((target, index) => new BalancerTarget(index, target, spec));
    const unresolved = new Set(previous?.targets.filter((one) => one.unresolved).map(({ host }) => host));
    for (const target of this.targets) target.unresolved = unresolved.has(target.host);
    this.#choices = choices;
    this.#own = choices.own;
  }

  /** @param previous served this upstream until now. */
  static *inSteps(spec: BalancerSpec, previous: Balancer | null): Generator<void, Balancer> {
    const choices = yield* Choices.inSteps(spec, previous === null ? null : previous.#choices);
    return new Balancer(spec, choices, previous);
  }

  static of(spec: BalancerSpec, previous: Balancer | null = null): Balancer {
    const steps = Balancer.inSteps(spec, previous);
    for (;;) {
      const { done, value } = steps.next();
      if (done === true) return value;
    }
  }

  /** False: it has no target that takes traffic, or too little of them is healthy. */
  get healthy(): boolean {
    return this.targets.length > 0 && this.health?.open !== false;
  }

  /** The zone had no room: this worker balances by what it knows itself. */
  get alone(): boolean {
    return this.#choices.alone;
  }

  open(zone: TargetZone): void {
    this.#choices.open(zone, this.targets);
  }

  /** No snapshot that is served has it any more; requests that began with it go on. */
  close(): void {
    this.#choices.close();
  }

  /** The way of choosing by a policy; null: the upstream's own. */
  choice(policy: BalancingPolicy | null): Choice {
    return policy === null ? this.#own : this.#choices.of(policy, this.targets);
  }

  /**
   * The target that a request of this hash goes to, but for those, by index; null when there is none.
   * @param hash 32 bits, of `hashSource`.
   */
  next(passed: ReadonlySet<number> | null, hash = 0): BalancerTarget | null {
    return this.targets[this.#own.next(passed, hash)] ?? null;
  }
}
