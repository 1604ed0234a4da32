/**
 * Targets of one priority: an algorithm over them, and who of them is out for everybody: those that are unhealthy, and those
 * that are held back because they have just begun (ramp.ts). Members are counted from 0 here.
 */
import type { Algorithm, Member } from './algorithms/algorithm.ts';
import { type Gate, Ramp } from './ramp.ts';

const DOWN = 1;
const HELD = 2;

export interface SlowStart {
  /** Milliseconds. */
  readonly duration: number;
  /** Milliseconds by the clock of all threads. */
  readonly now: () => number;
}

export class Group implements Gate {
  /** The first of its targets among those of the upstream. */
  readonly first: number;
  readonly size: number;
  readonly algorithm: Algorithm;
  /** Of the members that are not down. */
  left: number;
  weight: number;
  readonly #members: readonly Member[];
  readonly #out: Uint8Array;
  readonly #ramp: Ramp | null;

  constructor(first: number, members: readonly Member[], algorithm: Algorithm, slowStart: SlowStart | null) {
    this.first = first;
    this.algorithm = algorithm;
    this.size = this.left = members.length;
    this.weight = members.reduce((sum, { weight }) => sum + weight, 0);
    this.#members = members;
    this.#out = new Uint8Array(members.length);
    const weights = members.map(({ weight }) => weight);
    this.#ramp = slowStart === null ? null : new Ramp(weights, slowStart.duration, slowStart.now, this);
  }

  /** -1: none is left. */
  next(passed: ReadonlySet<number> | null, hash: number): number {
    if (this.left === 0) return -1;
    const ramp = this.#ramp;
    if (ramp === null || !ramp.running) return this.algorithm.next(passed, hash);
    ramp.turn();
    let member = this.algorithm.next(passed, hash);
    if (member < 0) member = ramp.first(passed);
    if (member >= 0) ramp.took(member);
    return member;
  }

  /** @param since when it came back from being down, or came at all; 0: it always was here. */
  setDown(member: number, down: boolean, since: number): void {
    if (this.#is(member, DOWN) !== down) {
      const { weight } = this.#members[member]!;
      this.left += down ? -1 : 1;
      this.weight += down ? -weight : weight;
      this.#set(member, DOWN, down);
    }
    if (down) this.#ramp?.end(member);
    else this.#ramp?.begin(member, since);
  }

  hold(member: number, held: boolean): void {
    this.#set(member, HELD, held);
  }

  #is(member: number, why: number): boolean {
    return (this.#out[member]! & why) !== 0;
  }

  #set(member: number, why: number, out: boolean): void {
    const before = this.#out[member]!;
    const now = (this.#out[member] = out ? before | why : before & ~why);
    if (now > 0 !== before > 0) this.algorithm.setOut(member, now > 0);
  }
}
