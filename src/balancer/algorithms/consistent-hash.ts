/**
 * Consistent hashing: the hash chooses one of the upstream's `slots`, and each slot belongs to one member.
 *
 * Whose a slot is, is settled between the members by weighted rendezvous: each gets a number by slot and name, -ln(u) /
 * weight with a u of 0 to 1, and the least wins. Every member so gets its share by weight; a member that goes leaves
 * its own slots and no others, one that comes takes what it wins, and a changed weight moves what it must. (Kong's ring
 * moves more: how many points a target has depends there on the weights of the others.) The owners depend on nothing
 * but names, weights and `slots`, so all workers, all nodes and all restarts agree.
 *
 * The table is made from the one before: members that stay are asked only for slots that have lost their owner, so
 * that a change costs `slots` comparisons for each member that changed and not for all of them. A table that is made while
 * a request waits settles each slot when it is asked for first.
 *
 * A member that is passed over is replaced by the owner of the next slot, as Kong walks its ring; its keys so spread
 * over all others and come back to it.
 */
import { hash32, mix32 } from '../../zone/hash32.ts';
import type { Algorithm, AlgorithmSpec, Member } from './algorithm.ts';

/** The owner of a slot that is not settled. */
const OPEN = -2;

export class ConsistentHash implements Algorithm {
  readonly members: readonly Member[];
  /** Of each slot, -1 when there are no members. */
  readonly owners: Int32Array;
  /** The winning numbers, single precision. */
  readonly scores: Float32Array;
  readonly hashes: Float64Array;
  readonly #out: Uint8Array;
  #left: number;

  constructor(members: readonly Member[], slots: number) {
    this.members = members;
    this.owners = new Int32Array(slots).fill(-1);
    this.scores = new Float32Array(slots).fill(Infinity);
    this.hashes = Float64Array.from(members, ({ name }) => hash32(name));
    this.#out = new Uint8Array(members.length);
    this.#left = members.length;
  }

  /** Its slots are settled one by one. */
  static lazily({ members, slots }: AlgorithmSpec): ConsistentHash {
    const table = new ConsistentHash(members, slots);
    if (members.length > 0) table.owners.fill(OPEN);
    return table;
  }

  setOut(member: number, out: boolean): void {
    this.#left -= Number(out) - this.#out[member]!;
    this.#out[member] = Number(out);
  }

  next(passed: ReadonlySet<number> | null, hash: number): number {
    const slot = Math.floor((hash / 2 ** 32) * this.owners.length);
    const owner = this.#ownerOf(slot);
    if (owner < 0 || this.#takes(owner, passed)) return owner;
    return this.#nextBut(passed, slot);
  }

  #nextBut(passed: ReadonlySet<number> | null, slot: number): number {
    const { owners, members } = this;
    if (this.#left === 0 || (passed !== null && passed.size >= members.length)) return -1;
    for (let step = 1; step < owners.length; step++) {
      const owner = this.#ownerOf((slot + step) % owners.length);
      if (this.#takes(owner, passed)) return owner;
    }
    // Of so little weight that it has no slot.
    return members.findIndex((_, index) => this.#takes(index, passed));
  }

  #takes(member: number, passed: ReadonlySet<number> | null): boolean {
    return this.#out[member] === 0 && passed?.has(member) !== true;
  }

  #ownerOf(slot: number): number {
    const owner = this.owners[slot]!;
    return owner === OPEN ? this.#settle(slot) : owner;
  }

  #settle(slot: number): number {
    const slots = Int32Array.of(slot);
    this.owners[slot] = -1;
    for (const index of this.members.keys()) compete(this, index, slots);
    return this.owners[slot];
  }
}

/** One step for each member. */
export function* consistentHash({
  members,
  slots,
  previous,
}: AlgorithmSpec): Generator<void, ConsistentHash> {
  const table = new ConsistentHash(members, slots);
  const kept = takeOver(table, previous);
  const orphans = Int32Array.from(table.owners.keys()).filter((slot) => table.owners[slot] === -1);
  const all = kept.size === 0 ? orphans : Int32Array.from(table.owners.keys());
  for (const index of members.keys()) {
    compete(table, index, kept.has(index) ? orphans : all);
    yield;
  }
  return table;
}

/** Takes the owners that stay; answers them. */
function takeOver({ members, owners, scores }: ConsistentHash, previous: Algorithm | null): Set<number> {
  if (!(previous instanceof ConsistentHash) || previous.owners.length !== owners.length) return new Set();
  const places = new Map(members.map((member, index) => [identityOf(member), index]));
  const now = previous.members.map((member) => places.get(identityOf(member)) ?? -1);
  for (const [slot, owner] of previous.owners.entries()) {
    const index = now[owner] ?? -1;
    if (index < 0) continue;
    owners[slot] = index;
    scores[slot] = previous.scores[slot]!;
  }
  return new Set(now.filter((index) => index >= 0));
}

const identityOf = ({ name, weight }: Member): string => `${name} ${weight}`;

/** Gives a member the slots that it wins of these. */
function compete(table: ConsistentHash, index: number, slots: Int32Array): void {
  const { owners, scores, hashes } = table;
  const own = hashes[index]!;
  const cost = 1 / table.members[index]!.weight;
  for (const slot of slots) {
    const u = (mix32(own ^ Math.imul(slot + 1, 0x9e3779b1)) + 1) / 2 ** 32;
    // -ln(u) is at least 1 - u: nearly all are out without the logarithm.
    if (Math.fround((1 - u) * cost) > scores[slot]!) continue;
    const score = Math.fround(-Math.log(u) * cost);
    // Equals are told apart by name, so that the order in which they came does not matter.
    if (score > scores[slot]! || (score === scores[slot]! && own >= (hashes[owners[slot]!] ?? Infinity)))
      continue;
    owners[slot] = index;
    scores[slot] = score;
  }
}
