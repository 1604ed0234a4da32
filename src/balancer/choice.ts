/**
 * One way of choosing among the targets of an upstream: the upstream's own, or that of a policy (policy.ts). A balancer has
 * one for each way that requests ask for.
 *
 * Targets are in groups by priority; one of a later group is chosen only when those before have nobody left: down for
 * everybody, or passed over by this request. Without priorities there is one group, and nothing is paid for the others.
 */
import type { Algorithm, AlgorithmSpec, Member, SharedLoads } from './algorithms/algorithm.ts';
import { ALGORITHMS, type AlgorithmName } from './algorithms/registry.ts';
import { Group, type SlowStart } from './group.ts';
import type { HashSource } from './hash-source.ts';
import type { UpstreamHealth } from './health/upstream-health.ts';

/** Members of one priority, in the order of targets. */
export interface GroupSpec {
  readonly priority: number;
  readonly first: number;
  readonly members: readonly Member[];
}

export interface ChoiceSpec {
  /** One at least. */
  readonly groups: readonly GroupSpec[];
  readonly algorithm: AlgorithmName;
  readonly slots: number;
  readonly start: number;
  readonly health: UpstreamHealth | null;
  /** Milliseconds; 0: none. */
  readonly slowStart: number;
  readonly hashSource: HashSource | null;
}

export class Choice {
  /** It goes by what all workers know of the targets. */
  readonly needsLoads: boolean;
  /** What requests are hashed on; null: they are not. */
  readonly hashSource: HashSource | null;
  readonly #spec: ChoiceSpec;
  readonly #health: UpstreamHealth | null;
  /** Made in steps, by group. */
  #made: Algorithm[] = [];
  #groups: readonly Group[] = [];
  #down: ReadonlySet<number> | null = null;
  /** Of the health that `#down` and the starts are of. */
  #version = 0;

  constructor(spec: ChoiceSpec) {
    this.#spec = spec;
    this.#health = spec.health;
    this.hashSource = spec.algorithm === 'consistent-hashing' ? spec.hashSource : null;
    this.needsLoads = 'share' in ALGORITHMS[spec.algorithm] || this.#starts;
  }

  /** Makes what needs no state of all workers, in steps. @param previous served until now. */
  *prepare(previous: Choice | null): Generator<void> {
    const entry = ALGORITHMS[this.#spec.algorithm];
    if (!('make' in entry) || entry.make === undefined) return;
    for (const group of this.#spec.groups) {
      this.#made.push(yield* entry.make(this.#specOf(group, previous)));
    }
  }

  /** From now on it can be asked. @param shared of all targets; null where it does not need them. */
  serve(shared: SharedLoads | null): void {
    if (this.#groups.length > 0) return;
    const { slowStart: duration } = this.#spec;
    const zone = shared?.zone ?? null;
    const starts: SlowStart | null =
      zone !== null && this.#starts ? { duration, now: () => zone.now() } : null;
    this.#groups = this.#spec.groups.map((group, index) => {
      const algorithm = this.#made[index] ?? this.#make(group, shared);
      return new Group(group.first, group.members, algorithm, starts);
    });
    this.#made = [];
    if (shared === null || starts === null) return;
    for (const [index, { slot }] of shared.loads.entries()) this.#enter(index, shared.zone.bornAt(slot));
  }

  close(): void {
    for (const { algorithm } of this.#groups) algorithm.close?.();
  }

  /** The target by index; -1: none is left. @param passed few. */
  next(passed: ReadonlySet<number> | null, hash: number): number {
    const groups = this.#groups;
    if (this.#health !== null && this.#health.version !== this.#version) this.#settle(this.#health);
    if (groups.length === 1) return groups[0]!.next(passed, hash);
    for (const group of groups) {
      const member = group.next(passed === null ? null : within(group, passed), hash);
      if (member >= 0) return group.first + member;
    }
    return -1;
  }

  /** Hashes have their targets, whoever has just come. */
  get #starts(): boolean {
    return this.#spec.slowStart > 0 && this.#spec.algorithm !== 'consistent-hashing';
  }

  #make(group: GroupSpec, shared: SharedLoads | null): Algorithm {
    const entry = ALGORITHMS[this.#spec.algorithm];
    const spec = this.#specOf(group, null);
    if (!('share' in entry)) return entry.atOnce(spec);
    if (shared === null) throw new Error(`${this.#spec.algorithm} needs the zone of targets`);
    const { first, members } = group;
    return entry.share(spec, { zone: shared.zone, loads: shared.loads.slice(first, first + members.length) });
  }

  #specOf({ priority, members }: GroupSpec, previous: Choice | null): AlgorithmSpec {
    const { slots, start } = this.#spec;
    return { members, slots, start, previous: previous === null ? null : previous.#algorithmOf(priority) };
  }

  #algorithmOf(priority: number): Algorithm | null {
    const index = this.#spec.groups.findIndex((group) => group.priority === priority);
    return this.#groups[index]?.algorithm ?? null;
  }

  /** Others are down than before, or have been down meanwhile. */
  #settle(health: UpstreamHealth): void {
    const before = this.#down;
    const down = (this.#down = health.down);
    this.#version = health.version;
    for (const index of down ?? []) {
      const group = this.#groupOf(index);
      if (before?.has(index) !== true) group?.setDown(index - group.first, true, 0);
    }
    const changed = this.#starts
      ? this.#spec.groups.flatMap(({ members }) => members).keys()
      : (before ?? []);
    for (const index of changed) if (down?.has(index) !== true) this.#enter(index, 0);
  }

  /** @param born when it came; 0: it was always here. */
  #enter(index: number, born: number): void {
    const group = this.#groupOf(index);
    group?.setDown(index - group.first, false, Math.max(born, this.#health?.backSince(index) ?? 0));
  }

  #groupOf(index: number): Group | null {
    return this.#groups.findLast(({ first }) => first <= index) ?? null;
  }
}

/** Those of a group, as the group counts its members. */
function within({ first, left, size }: Group, passed: ReadonlySet<number>): ReadonlySet<number> | null {
  if (left === 0) return null;
  const own = new Set<number>();
  for (const index of passed) if (index >= first && index < first + size) own.add(index - first);
  return own.size === 0 ? null : own;
}
