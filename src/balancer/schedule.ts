/**
 * Whose turn it is among many: the k-th turn of a member is due at (2k + 1) / (2 weight), and a heap knows the first.
 *
 * In one unit of that time every member has exactly as many turns as its weight, spread evenly, as in rotation.ts; a
 * turn costs the logarithm of their number. Turns are counted and times computed from the count, so that no rounding
 * adds up. A member that is passed over, or out for everybody (`setOut`), loses the turns that the others have meanwhile:
 * it does not catch up. One that is out leaves the heap when its turn comes, so that many of them cost nothing.
 */

/** Bounds the work of a start in the middle of a unit. */
const MAX_START_WORK = 4096;

export class Schedule {
  readonly #weights: readonly number[];
  readonly #turns: Float64Array;
  readonly #due: Float64Array;
  /** Members, the first due at 0, children of i at 2i + 1 and 2i + 2. */
  readonly #heap: Int32Array;
  #size: number;
  readonly #out: Uint8Array;
  /** Out, and not in the heap. */
  readonly #parked: Uint8Array;
  /** When the last turn was due. */
  #now = 0;

  /** @param start 0 to 1: where to begin. */
  constructor(weights: readonly number[], start: number) {
    this.#weights = weights;
    this.#turns = new Float64Array(weights.length);
    this.#due = Float64Array.from(weights, (weight) => 1 / (2 * weight));
    this.#heap = Int32Array.from(weights.keys());
    this.#size = weights.length;
    this.#out = new Uint8Array(weights.length);
    this.#parked = new Uint8Array(weights.length);
    for (let at = (this.#size >> 1) - 1; at >= 0; at--) this.#sink(at);
    const sum = weights.reduce((all, weight) => all + weight, 0);
    for (let turn = Math.floor(start * Math.min(sum, MAX_START_WORK)); turn > 0; turn--) this.next();
  }

  setOut(member: number, out: boolean): void {
    this.#out[member] = Number(out);
    if (out || this.#parked[member] === 0) return;
    this.#parked[member] = 0;
    this.#skipTo(member, this.#now);
    this.#insert(member);
  }

  /** -1: nobody is in. */
  next(): number {
    this.#park();
    if (this.#size === 0) return -1;
    const member = this.#heap[0]!;
    this.#now = this.#due[member]!;
    this.#advance(member, this.#turns[member]! + 1);
    this.#sink(0);
    return member;
  }

  nextBut(passed: ReadonlySet<number>): number {
    const skipped: number[] = [];
    this.#park();
    while (this.#size > 0 && passed.has(this.#heap[0]!)) {
      skipped.push(this.#heap[0]!);
      this.#removeFirst();
      this.#park();
    }
    const member = this.next();
    for (const one of skipped) {
      if (member >= 0) this.#skipTo(one, this.#now);
      this.#insert(one);
    }
    return member;
  }

  #park(): void {
    while (this.#size > 0 && this.#out[this.#heap[0]!] !== 0) {
      this.#parked[this.#heap[0]!] = 1;
      this.#removeFirst();
    }
  }

  #removeFirst(): void {
    this.#heap[0] = this.#heap[--this.#size]!;
    this.#sink(0);
  }

  #insert(member: number): void {
    this.#heap[this.#size] = member;
    this.#rise(this.#size++);
  }

  /** Its next turn is the first after that time. */
  #skipTo(member: number, now: number): void {
    const turns = Math.ceil(now * this.#weights[member]! - 0.5);
    this.#advance(member, Math.max(this.#turns[member]!, turns));
  }

  #advance(member: number, turns: number): void {
    this.#turns[member] = turns;
    this.#due[member] = (2 * turns + 1) / (2 * this.#weights[member]!);
  }

  #before(one: number, other: number): boolean {
    const difference = this.#due[one]! - this.#due[other]!;
    return difference < 0 || (difference === 0 && one < other);
  }

  #sink(from: number): void {
    const heap = this.#heap;
    const moved = heap[from]!;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.#size) break;
      if (child + 1 < this.#size && this.#before(heap[child + 1]!, heap[child]!)) child++;
      if (!this.#before(heap[child]!, moved)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = moved;
  }

  #rise(from: number): void {
    const heap = this.#heap;
    const moved = heap[from]!;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#before(moved, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = moved;
  }
}
