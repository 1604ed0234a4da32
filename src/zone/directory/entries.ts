/**
 * Where a row stands in the index and in its owner's list, and how another row takes its place there.
 *
 * A list is a chain of rows, the newest first; the index has its head. Only `next` is read by readers. A row that has
 * left the chain still says what followed it, so that a reader who stands on it goes on.
 */
import type { Key } from './key.ts';
import { RowFields } from './row-fields.ts';
import { BY_ID, BY_OWNER, BY_UNIQUE, MAX_UNIQUES, type RowKind } from './row-kind.ts';
import type { Segments } from './segments.ts';
import type { Slots } from './slots.ts';
import { HEAD, offsetOf } from './tables.ts';

const NONE = 0;

export class Entries {
  readonly #key: Key;
  readonly #segments: Segments;
  readonly #slots: Slots;
  readonly #fields = new RowFields();
  readonly #before = new Int32Array(MAX_UNIQUES);
  readonly #after = new Int32Array(MAX_UNIQUES);

  constructor(key: Key, segments: Segments, slots: Slots) {
    this.#key = key;
    this.#segments = segments;
    this.#slots = slots;
  }

  /** The place of an entity's row; 0 when there is none. */
  find(kind: RowKind, id: string): number {
    const { number } = kind;
    if (!this.#key.setId(id)) return NONE;
    return this.#slots.find(this.#key.tag(number, BY_ID), (place) => this.#has(place, HEAD.id));
  }

  add(kind: RowKind, place: number): void {
    this.#slots.insert(this.#idTag(kind, place), place);
    const set = this.#uniqueTags(kind, place, this.#after);
    for (let unique = 0; set >> unique !== 0; unique++) {
      if (((set >> unique) & 1) === 1) this.#slots.insert(this.#after[unique]!, place);
    }
    if (kind.owner !== null) this.#join(kind, place);
  }

  remove(kind: RowKind, place: number): void {
    const set = this.#uniqueTags(kind, place, this.#before);
    for (let unique = 0; set >> unique !== 0; unique++) {
      if (((set >> unique) & 1) === 1) this.#slots.remove(this.#before[unique]!, place);
    }
    if (kind.owner !== null) this.#leave(kind, place);
    this.#slots.remove(this.#idTag(kind, place), place);
  }

  /** Both are rows of the same entity. */
  replace(kind: RowKind, old: number, place: number): void {
    const had = this.#uniqueTags(kind, old, this.#before);
    const has = this.#uniqueTags(kind, place, this.#after);
    for (let unique = 0; (had | has) >> unique !== 0; unique++) {
      const hadOne = ((had >> unique) & 1) === 1;
      const hasOne = ((has >> unique) & 1) === 1;
      const before = this.#before[unique]!;
      const after = this.#after[unique]!;
      if (hadOne && hasOne && before === after) this.#slots.replace(after, old, place);
      else {
        if (hasOne) this.#slots.insert(after, place);
        if (hadOne) this.#slots.remove(before, old);
      }
    }
    if (kind.owner !== null) this.#replaceInList(kind, old, place);
    this.#slots.replace(this.#idTag(kind, place), old, place);
  }

  #replaceInList(kind: RowKind, old: number, place: number): void {
    const tag = this.#ownerTag(kind, old);
    if (tag !== this.#ownerTag(kind, place) || !this.#sameOwner(old, place)) {
      this.#leave(kind, old);
      this.#join(kind, place);
      return;
    }
    const segments = this.#segments;
    const next = segments.word(old, HEAD.next);
    const before = segments.word(old, HEAD.before);
    segments.setWord(place, HEAD.next, next);
    segments.setWord(place, HEAD.before, before);
    if (before === NONE) this.#slots.replace(tag, old, place);
    else segments.setWord(before, HEAD.next, place);
    if (next !== NONE) segments.setWord(next, HEAD.before, place);
  }

  #join(kind: RowKind, place: number): void {
    const segments = this.#segments;
    const tag = this.#ownerTag(kind, place);
    const head = this.#slots.find(tag, (other) => this.#has(other, HEAD.owner));
    segments.setWord(place, HEAD.next, head);
    segments.setWord(place, HEAD.before, NONE);
    if (head === NONE) this.#slots.insert(tag, place);
    else {
      segments.setWord(head, HEAD.before, place);
      this.#slots.replace(tag, head, place);
    }
  }

  #leave(kind: RowKind, place: number): void {
    const segments = this.#segments;
    const next = segments.word(place, HEAD.next);
    const before = segments.word(place, HEAD.before);
    if (next !== NONE) segments.setWord(next, HEAD.before, before);
    if (before !== NONE) {
      segments.setWord(before, HEAD.next, next);
      return;
    }
    const tag = this.#ownerTag(kind, place);
    if (next === NONE) this.#slots.remove(tag, place);
    else this.#slots.replace(tag, place, next);
  }

  /** Are the sixteen octets in the head those of the key? */
  #has(place: number, word: number): boolean {
    return this.#key.equals(this.#segments.at(place).bytes, offsetOf(place) + word * 4, 16);
  }

  #sameOwner(a: number, b: number): boolean {
    this.#load(a, HEAD.owner);
    return this.#has(b, HEAD.owner);
  }

  #idTag({ number }: RowKind, place: number): number {
    this.#load(place, HEAD.id);
    return this.#key.tag(number, BY_ID);
  }

  #ownerTag({ number }: RowKind, place: number): number {
    this.#load(place, HEAD.owner);
    return this.#key.tag(number, BY_OWNER);
  }

  #load(place: number, word: number): void {
    this.#key.setBytes(this.#segments.at(place).bytes, offsetOf(place) + word * 4, 16);
  }

  /**
   * Answers which unique fields the row has, one bit for each. A text that has no UTF-8 is not found by anyone.
   * @param tags gets theirs
   */
  #uniqueTags(kind: RowKind, place: number, tags: Int32Array): number {
    let set = 0;
    if (kind.uniqueNumbers.length === 0) return set;
    const fields = this.#fields;
    const segment = this.#segments.at(place);
    fields.begin(kind, segment, offsetOf(place));
    while (fields.next()) {
      const unique = kind.uniqueNumbers.indexOf(fields.number);
      if (unique < 0 || !fields.isText) continue;
      this.#key.setBytes(segment.bytes, fields.from, fields.length);
      tags[unique] = this.#key.tag(kind.number, BY_UNIQUE + unique);
      set |= 1 << unique;
    }
    return set;
  }
}
