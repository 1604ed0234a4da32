/** The members that are in, side by side, so that one of them can be taken at random however many are out. */
export class Present {
  count: number;
  readonly #members: Int32Array;
  /** Of each member, where it stands; those that are out stand behind the others. */
  readonly #places: Int32Array;

  constructor(length: number) {
    this.count = length;
    this.#members = Int32Array.from({ length }, (_, member) => member);
    this.#places = Int32Array.from(this.#members);
  }

  at(place: number): number {
    return this.#members[place]!;
  }

  setOut(member: number, out: boolean): void {
    const place = this.#places[member]!;
    if (out === place >= this.count) return;
    const border = out ? --this.count : this.count++;
    const other = this.#members[border]!;
    this.#members[border] = member;
    this.#members[place] = other;
    this.#places[member] = border;
    this.#places[other] = place;
  }
}
