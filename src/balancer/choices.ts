/**
 * The ways of choosing among the targets of one upstream that requests have asked for: the upstream's own, and one for each
 * policy, made when it is asked for first. A balancer that takes the place of another makes those of that one beforehand,
 * beside the traffic, as long as they are asked for now and then.
 *
 * What all workers know of targets is taken from the zone once for all of them, when the first needs it: when a snapshot
 * begins to be served, or a request asks. From the next change on, a target that was not there before is new, and its time
 * is that of the snapshot which had it first.
 */
import type { TargetLoad } from '../zone/targets/target-load.ts';
import { TargetZone } from '../zone/targets/target-zone.ts';
import type { Member, SharedLoads } from './algorithms/algorithm.ts';
import type { BalancerSpec, BalancerTarget } from './target.ts';
import { Choice, type ChoiceSpec } from './choice.ts';
import type { BalancingPolicy } from './policy.ts';
import { groupsOf } from './priorities.ts';

/** Policies of one upstream at a time; for another one the oldest goes. */
const MOST_POLICIES = 64;
/** Changes of the targets after which a policy that nobody has asked for is forgotten. */
const MOST_IDLE = 60;
const DEFAULT_SLOTS = 10_000;

interface Asked {
  readonly policy: BalancingPolicy;
  readonly choice: Choice;
  /** Changes since somebody asked. */
  idle: number;
}

export class Choices {
  readonly own: Choice;
  /** The zone had no room. */
  alone = false;
  readonly #spec: ChoiceSpec;
  readonly #id: string;
  readonly #members: readonly Member[];
  readonly #asked = new Map<string, Asked>();
  /** The members that were served before; null: none were. */
  readonly #before: readonly Member[] | null;
  #openedAt = 0;
  #zone: TargetZone | null = null;
  #shared: SharedLoads | null = null;
  #closed = false;

  private constructor(spec: BalancerSpec, previous: Choices | null) {
    const groups = groupsOf(spec.targets);
    const { slots = DEFAULT_SLOTS, start, algorithm = 'round-robin' } = spec;
    const { health = null, hashSource = null } = spec;
    this.#spec = { groups, algorithm, slots, start, health, hashSource, slowStart: 0 };
    this.#id = spec.id ?? '';
    this.#members = groups.flatMap(({ members }) => members);
    this.#before = previous?.served ?? null;
    this.own = new Choice(this.#spec);
  }

  static *inSteps(spec: BalancerSpec, previous: Choices | null): Generator<void, Choices> {
    const choices = new Choices(spec, previous);
    yield* choices.own.prepare(previous?.own ?? null);
    if (!choices.own.needsLoads) choices.own.serve(null);
    for (const { policy, choice: before, idle } of previous?.recent() ?? []) {
      const choice = choices.#make(policy);
      yield* choice.prepare(before);
      choices.#asked.set(policy.key, { policy, choice, idle: idle + 1 });
    }
    return choices;
  }

  open(zone: TargetZone, targets: readonly BalancerTarget[]): void {
    if (this.#zone !== null) return;
    this.#zone = zone;
    this.#openedAt = zone.now();
    this.#serve(this.own, targets);
    for (const { choice } of this.#asked.values()) this.#serve(choice, targets);
  }

  close(): void {
    this.#closed = true;
    for (const { choice } of this.#asked.values()) choice.close();
    this.own.close();
    for (const load of this.#shared?.loads ?? []) load.release();
  }

  of(policy: BalancingPolicy, targets: readonly BalancerTarget[]): Choice {
    const asked = this.#asked.get(policy.key);
    if (asked === undefined) return this.#add(policy, targets);
    asked.idle = 0;
    return asked.choice;
  }

  /** Null: nobody was served. */
  get served(): readonly Member[] | null {
    return this.#zone === null || this.#members.length === 0 || this.alone ? null : this.#members;
  }

  recent(): Asked[] {
    return [...this.#asked.values()].filter(({ idle }) => idle < MOST_IDLE);
  }

  #add(policy: BalancingPolicy, targets: readonly BalancerTarget[]): Choice {
    // A request of a snapshot that is served no more: nothing is taken from the zone for it.
    if (this.#closed) return this.own;
    const [oldest] = this.#asked.values();
    if (oldest !== undefined && this.#asked.size >= MOST_POLICIES) {
      this.#asked.delete(oldest.policy.key);
      oldest.choice.close();
    }
    const choice = this.#make(policy);
    this.#serve(choice, targets);
    this.#asked.set(policy.key, { policy, choice, idle: 0 });
    return choice;
  }

  #make({ slowStart, ...wanted }: BalancingPolicy): Choice {
    const algorithm = wanted.algorithm ?? this.#spec.algorithm;
    const hashSource = wanted.hashSource ?? this.#spec.hashSource;
    return new Choice({ ...this.#spec, algorithm, hashSource, slowStart });
  }

  #serve(choice: Choice, targets: readonly BalancerTarget[]): void {
    choice.serve(choice.needsLoads ? this.#loads(targets) : null);
  }

  #loads(targets: readonly BalancerTarget[]): SharedLoads {
    if (this.#shared !== null) return this.#shared;
    let zone = this.#zone;
    let loads = zone === null ? null : this.#acquire(zone);
    if (zone === null || loads === null) {
      this.alone = this.#zone !== null;
      zone = TargetZone.standalone(this.#members.length);
      loads = this.#acquire(zone) ?? [];
    }
    for (const [index, target] of targets.entries()) target.load = loads[index] ?? null;
    return (this.#shared = { zone, loads });
  }

  /** All or none. */
  #acquire(zone: TargetZone): TargetLoad[] | null {
    const loads: TargetLoad[] = [];
    // Few need it, and each change of a thousand targets makes one of these.
    const before = this.alone || this.#before === null ? null : new Set(this.#before.map(({ name }) => name));
    for (const { name } of this.#members) {
      const born = before === null || before.has(name) ? 0 : this.#openedAt;
      const load = zone.acquire(`${this.#id} ${name}`, born);
      if (load === null) {
        for (const taken of loads) taken.release();
        return null;
      }
      loads.push(load);
    }
    return loads;
  }
}
