/**
 * least-connections for many members: a tournament whose winner is the member of the least (in flight + 1) / weight;
 * among equals the one that was taken longest ago.
 *
 * What this worker begins and ends is played anew at once, in as many matches as the tree is high. What other workers
 * do is seen when it matters: a winner that has got more to do meanwhile is found out before it is taken, and with every
 * choice a few members are looked at again, all in turn, so that one that others have left is known soon. One that is out
 * has an infinite score: it loses every match.
 */
import type { LoadWatcher, TargetLoad } from '../../zone/targets/target-load.ts';
import type { TargetZone } from '../../zone/targets/target-zone.ts';
import type { Algorithm, AlgorithmSpec, SharedLoads } from './algorithm.ts';
import { LeastConnections } from './least-connections.ts';

/** Members looked at again with each choice. */
const LOOKED_AT = 4;
/** Winners that are found out at most: then the last one is taken, which is good enough. */
const MOST_FOUND_OUT = 16;
/** So many members are taken out of the tree for one choice; for more (a request that failed on all), all are looked at. */
const MOST_PASSED = 24;

export class LoadTree implements Algorithm, LoadWatcher {
  readonly #zone: TargetZone;
  readonly #slots: Int32Array;
  readonly #costs: Float64Array;
  readonly #scores: Float64Array;
  /** When each was taken last. */
  readonly #taken: Float64Array;
  /** Winners: of all at 1, the children of i at 2i and 2i + 1; members from `#leaves` on, -1 where there is none. */
  readonly #winners: Int32Array;
  readonly #leaves: number;
  readonly #out: Uint8Array;
  readonly #loads: readonly TargetLoad[];
  readonly #scan: LeastConnections;
  #choices = 0;
  #looked = 0;

  constructor(spec: AlgorithmSpec, shared: SharedLoads) {
    const { members, start } = spec;
    const { length } = members;
    const first = Math.floor(start * length);
    this.#scan = new LeastConnections(spec, shared);
    this.#zone = shared.zone;
    this.#loads = shared.loads;
    this.#out = new Uint8Array(length);
    this.#slots = Int32Array.from(shared.loads, ({ slot }) => slot);
    this.#costs = Float64Array.from(members, ({ weight }) => 1 / weight);
    this.#scores = Float64Array.from(members, (_, member) => this.#scoreOf(member));
    this.#taken = Float64Array.from(members, (_, member) => ((member + length - first) % length) - length);
    this.#leaves = 2 ** Math.ceil(Math.log2(length));
    this.#winners = new Int32Array(this.#leaves * 2).fill(-1);
    for (const member of members.keys()) this.#winners[this.#leaves + member] = member;
    for (let node = this.#leaves - 1; node > 0; node--) this.#winners[node] = this.#match(node);
    for (const [member, load] of shared.loads.entries()) load.watch(this, member);
  }

  changed(member: number): void {
    const score = this.#scoreOf(member);
    if (score !== this.#scores[member]) this.#enter(member, score);
  }

  setOut(member: number, out: boolean): void {
    this.#out[member] = Number(out);
    this.#scan.setOut(member, out);
    this.changed(member);
  }

  close(): void {
    for (const load of this.#loads) load.unwatch(this);
  }

  next(passed: ReadonlySet<number> | null): number {
    if (passed !== null && passed.size > MOST_PASSED) return this.#scan.next(passed);
    this.#lookAround();
    const out: number[] | null = passed === null ? null : [];
    let winner = this.#winners[1]!;
    for (let found = 0; found < MOST_FOUND_OUT + MOST_PASSED; found++, winner = this.#winners[1]!) {
      if (passed?.has(winner) === true && this.#scores[winner] !== Infinity) {
        out?.push(winner);
        this.#enter(winner, Infinity);
        continue;
      }
      const score = this.#scores[winner] === Infinity ? Infinity : this.#scoreOf(winner);
      if (score === this.#scores[winner]) break;
      this.#enter(winner, score);
    }
    if (this.#scores[winner] === Infinity) winner = this.#scan.next(passed);
    else this.#take(winner);
    if (out !== null) for (const member of out) this.changed(member);
    return winner;
  }

  #take(member: number): void {
    this.#taken[member] = ++this.#choices;
    this.#enter(member, this.#scores[member]!);
  }

  #lookAround(): void {
    const { length } = this.#slots;
    for (let look = Math.min(LOOKED_AT, length); look > 0; look--) {
      this.#looked = this.#looked + 1 < length ? this.#looked + 1 : 0;
      this.changed(this.#looked);
    }
  }

  #scoreOf(member: number): number {
    if (this.#out[member] !== 0) return Infinity;
    return (this.#zone.inFlight(this.#slots[member]!) + 1) * this.#costs[member]!;
  }

  /** Plays the matches of a member with its new score. */
  #enter(member: number, score: number): void {
    const winners = this.#winners;
    this.#scores[member] = score;
    for (let node = (this.#leaves + member) >> 1; node > 0; node >>= 1) {
      const before = winners[node]!;
      const winner = this.#match(node);
      winners[node] = winner;
      if (winner === before && winner !== member) return;
    }
  }

  #match(node: number): number {
    const one = this.#winners[2 * node]!;
    const other = this.#winners[2 * node + 1]!;
    if (other < 0) return one;
    const difference = this.#scores[one]! - this.#scores[other]!;
    if (difference !== 0 && !Number.isNaN(difference)) return difference < 0 ? one : other;
    return this.#taken[one]! < this.#taken[other]! ? one : other;
  }
}
