/**
 * Slow start: members that are new, or back from being unhealthy, get their share by and by, from FLOOR to all of it, in a
 * straight line over the given time.
 *
 * Whatever the algorithm, such a member is out (`Gate`) but for as many choices as its part of its share allows: with a
 * part f and a share of 1 in n, one choice in n / f at most. So an algorithm that goes by what is in flight, for which a new
 * member is always the best, does not flood it. What the algorithm did not use of that is kept for a while, since a turn
 * does not come at the very moment when it is allowed.
 *
 * Parts are relative to the best there is: when all that are left are starting, nobody is held back for nobody's good. When
 * a start began is a time by the clock of all threads, so workers agree; the choices that are counted are a worker's own.
 *
 * A choice costs a comparison, and a reading of the clock while somebody is starting; who is due is looked for among those
 * who are starting when the first of them is.
 */

/** Of its share that a member begins with. */
const FLOOR = 0.1;
/** Periods for which a member keeps what it might have had, since its turns do not come when they are allowed. */
const KEPT = 4;
/** Parts are worked out anew so often while a start lasts. */
const STEPS = 64;

/** Where members are let in and held back. */
export interface Gate {
  hold(member: number, held: boolean): void;
  /** Weight, and number, of the members that are not down. */
  readonly weight: number;
  readonly left: number;
}

export class Ramp {
  readonly #weights: readonly number[];
  readonly #duration: number;
  readonly #now: () => number;
  readonly #gate: Gate;
  /** Who is starting, and of each member when it began; 0: it is not. */
  #starting: number[] = [];
  readonly #since: Float64Array;
  /** Choices between two of a member's, and the one from which on it may be taken next. */
  readonly #periods: Float64Array;
  readonly #due: Float64Array;
  readonly #held: Uint8Array;
  #choices = 0;
  #nextDue = Infinity;
  #nextStep = 0;

  constructor(weights: readonly number[], duration: number, now: () => number, gate: Gate) {
    this.#weights = weights;
    this.#duration = duration;
    this.#now = now;
    this.#gate = gate;
    this.#since = new Float64Array(weights.length);
    this.#periods = new Float64Array(weights.length);
    this.#due = new Float64Array(weights.length);
    this.#held = new Uint8Array(weights.length);
  }

  get running(): boolean {
    return this.#starting.length > 0;
  }

  /** @param since 0: it never was away; one that is known says nothing. */
  begin(member: number, since: number): void {
    const known = this.#since[member]!;
    if (since <= known) return;
    this.changed();
    if (this.#now() - since >= this.#duration) return;
    if (known === 0) this.#starting.push(member);
    this.#since[member] = since;
    this.#periods[member] = 0;
  }

  /** It is down: it will begin anew. */
  end(member: number): void {
    this.changed();
    if (this.#since[member] === 0) return;
    this.#starting.splice(this.#starting.indexOf(member), 1);
    this.#finish(member);
  }

  /** Others have come or gone. */
  changed(): void {
    this.#nextStep = 0;
  }

  /** Before each choice. */
  turn(): void {
    this.#choices++;
    const now = this.#now();
    if (now >= this.#nextStep) this.#step(now);
    else if (this.#choices >= this.#nextDue) this.#admit();
  }

  /** A member was chosen. */
  took(member: number): void {
    if (this.#periods[member] === 0) return;
    const period = this.#periods[member]!;
    this.#due[member]! += period;
    this.#judge(member);
  }

  /** Of those that are held back, whose turn comes first; -1: none but those. */
  first(passed: ReadonlySet<number> | null): number {
    let first = -1;
    for (const member of this.#starting) {
      if (passed?.has(member) === true) continue;
      if (first < 0 || this.#due[member]! < this.#due[first]!) first = member;
    }
    return first;
  }

  #step(now: number): void {
    this.#nextStep = now + this.#duration / STEPS;
    const over = this.#starting.filter((member) => this.#part(member, now) >= 1);
    for (const member of over) this.#finish(member);
    if (over.length > 0) this.#starting = this.#starting.filter((member) => this.#since[member]! > 0);
    const all = this.#starting.length >= this.#gate.left;
    const best = all ? Math.max(...this.#starting.map((member) => this.#part(member, now))) : 1;
    for (const member of this.#starting) this.#pace(member, this.#part(member, now) / best);
    this.#admit();
  }

  #part(member: number, now: number): number {
    return Math.max(FLOOR, (now - this.#since[member]!) / this.#duration);
  }

  #pace(member: number, part: number): void {
    const before = this.#periods[member]!;
    const period = part >= 1 ? 0 : this.#gate.weight / (this.#weights[member]! * part);
    this.#periods[member] = period;
    // One that begins waits for a part of its period, each for another one: workers and members do not come all at once.
    if (before === 0) this.#due[member] = this.#choices + period * ((member * 0.618034) % 1);
    else this.#due[member] = this.#choices + (this.#due[member]! - this.#choices) * (period / before);
  }

  #finish(member: number): void {
    this.#since[member] = 0;
    this.#periods[member] = 0;
    this.#hold(member, false);
  }

  #admit(): void {
    this.#nextDue = Infinity;
    for (const member of this.#starting) this.#judge(member);
  }

  #judge(member: number): void {
    const period = this.#periods[member]!;
    const due = (this.#due[member] = Math.max(this.#due[member]!, this.#choices - period * KEPT));
    const held = period > 0 && due > this.#choices;
    if (held) this.#nextDue = Math.min(this.#nextDue, due);
    this.#hold(member, held);
  }

  #hold(member: number, held: boolean): void {
    if (this.#held[member] === Number(held)) return;
    this.#held[member] = Number(held);
    this.#gate.hold(member, held);
  }
}
