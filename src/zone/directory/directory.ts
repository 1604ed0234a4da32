/**
 * Consumers and credentials, once for each node (docs/adr/0022-directory.md): the side that reads, one in each worker.
 *
 * A look-up is synchronous, waits for nobody and takes no lock. It sees the last change that was complete when it began,
 * or a later one. The rules that make it so:
 *
 * - A row is written before its place is published, and not written again (but for the heads' words that only the writer
 *   reads, and `next`, which is one word).
 * - A place is followed only if the epoch is still the one of the reader's buffers after the place was read: else the
 *   number of its segment may mean another one. The reader takes the news from its port and begins again.
 * - A place that is remembered (place-memo.ts) is followed only if its row lives. A row dies when it has been replaced or
 *   removed, before the writer goes on.
 */
import { receiveMessageOnPort } from 'node:worker_threads';
import type { DirectoryFeed } from './feeds.ts';
import { Key } from './key.ts';
import { PlaceMemo } from './place-memo.ts';
import { RowCache } from './row-cache.ts';
import { decodeRow, RowFields } from './row-fields.ts';
import { BY_ID, BY_OWNER, BY_UNIQUE, type DirectoryKind, type RowKind, rowKinds } from './row-kind.ts';
import {
  CONTROL,
  CONTROL_BYTES,
  DEAD,
  firstSlot,
  FREE,
  GONE,
  HEAD,
  kindOf,
  type News,
  offsetOf,
  segmentOf,
  type SegmentView,
  sizeOf,
  viewOf,
} from './tables.ts';

type Values = Record<string, unknown>;

/** The answer of a search: no place, or this. */
const NONE = 0;
/** The buffers have changed meanwhile. */
const AGAIN = 1;

/** @typeParam E entities by kind. */
export class Directory<E extends { readonly [K in keyof E]: object }> {
  readonly #kinds: ReadonlyMap<string, RowKind>;
  readonly #port: DirectoryFeed['port'] | null;
  readonly #control: Int32Array;
  readonly #key: Key;
  readonly #fields = new RowFields();
  readonly #cache = new RowCache<Values>();
  /** By kind and index. */
  #memos: Array<PlaceMemo | undefined> = [];
  readonly #segments: Array<SegmentView | undefined> = [];
  #index: Int32Array = new Int32Array(2);
  #epoch = 0;

  /** @param feed null: it is empty and stays so. */
  constructor(kinds: readonly DirectoryKind[], feed: DirectoryFeed | null) {
    this.#kinds = rowKinds(kinds);
    this.#port = feed?.port ?? null;
    this.#control = new Int32Array(feed?.control ?? new SharedArrayBuffer(CONTROL_BYTES));
    this.#key = new Key(this.#control[CONTROL.k0]!, this.#control[CONTROL.k1]!);
    this.refresh();
  }

  /**
   * The entity with this value of a unique field; null: there is none, or its time is over. It is shared: not to be
   * changed.
   */
  find<K extends keyof E & string>(kindName: K, field: string, value: string): E[K] | null {
    const kind = this.#kind(kindName);
    const unique = kind.uniques.indexOf(field);
    if (unique < 0) throw new Error(`${kindName} are not found by ${field}`);
    return this.#lookUp(kind, BY_UNIQUE + unique, value) as E[K] | null;
  }

  get<K extends keyof E & string>(kindName: K, id: string): E[K] | null {
    return this.#lookUp(this.#kind(kindName), BY_ID, id) as E[K] | null;
  }

  #lookUp(kind: RowKind, by: number, text: string): Values | null {
    if (this.#isStale()) this.refresh();
    const memo = (this.#memos[(kind.number << 4) | by] ??= new PlaceMemo());
    const known = memo.get(text);
    if (known !== undefined) {
      if (this.#lives(known)) return this.#entity(kind, known);
      memo.delete(text);
    }
    const valid = by === BY_ID ? this.#key.setId(text) : this.#key.setText(text);
    if (!valid) return null;
    const place = this.#search(kind, by);
    // What is asked for once does not drive out what is in use.
    if (place !== NONE && this.#cache.has(place)) memo.set(text, place);
    return this.#entity(kind, place);
  }

  #lives(place: number): boolean {
    const segment = this.#segments[segmentOf(place)];
    return segment !== undefined && (Atomics.load(segment.words, offsetOf(place) >> 2) & DEAD) === 0;
  }

  /** The entities of a kind that belong to this one, by id. */
  owned<K extends keyof E & string>(kindName: K, ownerId: string): ReadonlyArray<E[K]> {
    const kind = this.#kind(kindName);
    if (kind.owner === null) throw new Error(`${kindName} have no owner`);
    if (!this.#key.setId(ownerId)) return [];
    let places: number[] | null = null;
    while (places === null) places = this.#list(this.#search(kind, BY_OWNER));
    const entities = places.map((place) => this.#entity(kind, place)).filter((entity) => entity !== null);
    entities.sort((a, b) => (String(a['id']) < String(b['id']) ? -1 : 1));
    return entities as unknown as ReadonlyArray<E[K]>;
  }

  /** Lets go of buffers that are not used any more. Look-ups do it by themselves; an idle worker does it by this. */
  refresh(): void {
    if (this.#port === null) return;
    for (;;) {
      const received = receiveMessageOnPort(this.#port);
      if (received === undefined) return;
      this.#take(received.message as News);
    }
  }

  /** Number of decoded rows that are kept. */
  get cached(): number {
    return this.#cache.size;
  }

  #take({ epoch, index, added, dropped }: News): void {
    for (const number of dropped) this.#segments[number] = undefined;
    if (dropped.length > 0) {
      this.#cache.clear();
      this.#memos = [];
    }
    for (const { number, buffer } of added) this.#segments[number] = viewOf(buffer);
    if (index !== null) this.#index = new Int32Array(index);
    this.#epoch = epoch;
  }

  /** News that have been taken may be newer than the epoch that is told: they are sent first. */
  #isStale(): boolean {
    return ((Atomics.load(this.#control, CONTROL.epoch) - this.#epoch) | 0) > 0;
  }

  /** The place of a row of this kind that has the key; NONE. */
  #search(kind: RowKind, by: number): number {
    const tag = this.#key.tag(kind.number, by);
    for (;;) {
      if (this.#isStale()) this.refresh();
      const place = this.#probe(kind, by, tag);
      if (place !== AGAIN) return place;
    }
  }

  #probe(kind: RowKind, by: number, tag: number): number {
    const index = this.#index;
    const slots = index.length / 2;
    for (let slot = firstSlot(tag, slots); ; slot = slot + 1 === slots ? 0 : slot + 1) {
      const place = Atomics.load(index, slot * 2 + 1);
      if (place === FREE) return NONE;
      if (place === GONE || index[slot * 2] !== tag) continue;
      if (this.#isStale()) return AGAIN;
      if (this.#matches(kind, by, place)) return place;
    }
  }

  #matches(kind: RowKind, by: number, place: number): boolean {
    const segment = this.#segments[segmentOf(place)]!;
    const offset = offsetOf(place);
    if (kindOf(segment.words[offset >> 2]!) !== kind.number) return false;
    if (by === BY_ID) return this.#key.equals(segment.bytes, offset + HEAD.id * 4, 16);
    if (by === BY_OWNER) return this.#key.equals(segment.bytes, offset + HEAD.owner * 4, 16);
    const wanted = kind.uniqueNumbers[by - BY_UNIQUE];
    const fields = this.#fields;
    fields.begin(kind, segment, offset);
    while (fields.next()) {
      if (fields.number === wanted)
        return fields.isText && this.#key.equals(segment.bytes, fields.from, fields.length);
    }
    return false;
  }

  /** All of the list, from its head on; null: begin again. */
  #list(head: number): number[] | null {
    const places: number[] = [];
    for (let place = head; place !== NONE;) {
      places.push(place);
      const { words } = this.#segments[segmentOf(place)]!;
      place = Atomics.load(words, (offsetOf(place) >> 2) + HEAD.next);
      if (this.#isStale()) return null;
    }
    return places;
  }

  #entity(kind: RowKind, place: number): Values | null {
    if (place === NONE) return null;
    const segment = this.#segments[segmentOf(place)]!;
    const offset = offsetOf(place);
    const bytes = sizeOf(segment.words[offset >> 2]!);
    let entity = this.#cache.get(place, bytes);
    if (entity === undefined) this.#cache.offer(place, (entity = decodeRow(kind, segment, offset)), bytes);
    const end = kind.ttl ? entity['ttl'] : null;
    if (typeof end !== 'number') return entity;
    const left = end - Date.now() / 1000;
    return left <= 0 ? null : { ...entity, ttl: Math.max(1, Math.floor(left)) };
  }

  #kind(name: string): RowKind {
    const kind = this.#kinds.get(name);
    if (kind === undefined) throw new Error(`the directory has no kind '${name}'`);
    return kind;
  }
}
