/**
 * Consumers and credentials, once for each node (docs/adr/0022-directory.md): the side that writes.
 *
 * Only the main thread writes. Every change is one row: readers see the old one or the new one, and when the call
 * returns all of them see the new one. Work that memory needs (emptying segments, filling a larger index) is done a
 * little with each change, so that no call takes long.
 */
import { randomBytes } from 'node:crypto';
import { Compaction } from './compaction.ts';
import { Entries } from './entries.ts';
import { type DirectoryFeed, Feeds } from './feeds.ts';
import { Key } from './key.ts';
import { DirectoryFull, Memory } from './memory.ts';
import { RowEncoder } from './row-encoder.ts';
import { type DirectoryKind, type RowKind, rowKinds } from './row-kind.ts';
import { type Segment, Segments } from './segments.ts';
import { type DirectorySize, Sizes } from './sizes.ts';
import { Slots } from './slots.ts';
import { COLOR, HEAD, kindOf, offsetOf, sizeOf } from './tables.ts';

type Values = Readonly<Record<string, unknown>>;

/** Octets; each consumer with a key takes about two hundred. */
const DEFAULT_LIMIT = 8 * 2 ** 30;

export class DirectoryWriter {
  readonly #kinds: ReadonlyMap<string, RowKind>;
  readonly #byNumber: readonly RowKind[];
  readonly #sizes: Sizes;
  readonly #memory: Memory;
  readonly #feeds = new Feeds();
  readonly #segments: Segments;
  readonly #slots: Slots;
  readonly #entries: Entries;
  readonly #row = new RowEncoder();
  readonly #compaction: Compaction;
  /** What `replace` has put has this colour. */
  #color = 0;
  #replacing = false;

  constructor(kinds: readonly DirectoryKind[], limit = DEFAULT_LIMIT) {
    this.#kinds = rowKinds(kinds);
    this.#byNumber = [...this.#kinds.values()];
    this.#sizes = new Sizes(this.#byNumber);
    this.#memory = new Memory(limit);
    const random = randomBytes(8);
    const [k0, k1] = [random.readInt32LE(0), random.readInt32LE(4)];
    this.#feeds.setKey(k0, k1);
    this.#segments = new Segments(this.#memory, {
      added: ({ number, buffer }) =>
        this.#feeds.send({ index: null, added: [{ number, buffer }], dropped: [] }),
      dropped: (number) => this.#feeds.send({ index: null, added: [], dropped: [number] }),
    });
    this.#slots = new Slots(this.#memory, (index) => this.#feeds.send({ index, added: [], dropped: [] }));
    this.#entries = new Entries(new Key(k0, k1), this.#segments, this.#slots);
    this.#compaction = new Compaction(this.#segments, (old, place) =>
      this.#entries.replace(this.#kindAt(old), old, place),
    );
  }

  /** For a reader that starts. */
  open(): DirectoryFeed & { close(): void } {
    const added = [...this.#segments.all].map(({ number, buffer }) => ({ number, buffer }));
    return this.#feeds.open({ index: this.#slots.buffer, added });
  }

  get size(): DirectorySize {
    return this.#sizes.tell(this.#memory.used, this.#slots.bytes);
  }

  /**
   * @param entity complete. A `ttl` is the second at which it ends.
   * @throws DirectoryFull, RowTooLarge: nothing has changed then.
   */
  put(kindName: string, entity: object): void {
    const kind = this.#kind(kindName);
    const row = this.#row;
    row.encode(kind, entity as Values);
    const old = this.#entries.find(kind, String((entity as Values)['id']));
    if (old !== 0 && this.#isSame(old, kind)) {
      this.#segments.paint(old, this.#color);
      return;
    }
    this.#slots.makeRoom();
    this.#segments.makeRoom(row.length);
    const place = this.#segments.append(row.bytes, row.length);
    this.#segments.paint(place, this.#color);
    if (old === 0) this.#entries.add(kind, place);
    else {
      this.#entries.replace(kind, old, place);
      this.#free(old);
    }
    this.#sizes.count(kind, 1, row.length);
    this.#work();
  }

  /** Answers whether there was one. It needs no memory. */
  remove(kindName: string, id: string): boolean {
    const kind = this.#kind(kindName);
    const place = this.#entries.find(kind, id);
    if (place === 0) return false;
    this.#entries.remove(kind, place);
    this.#free(place);
    this.#work();
    return true;
  }

  /**
   * Makes the directory hold exactly these entities; what has not changed is left alone. One step for each; nothing else
   * may write meanwhile. Given up in the middle, it holds a mixture.
   * @throws DirectoryFull, RowTooLarge
   */
  *replace(entities: Iterable<{ readonly kind: string; readonly entity: object }>): Generator<void> {
    // One that was given up has left both colours.
    if (this.#replacing) yield* this.#paintAll();
    this.#replacing = true;
    this.#color ^= COLOR;
    for (const { kind, entity } of entities) {
      this.put(kind, entity);
      yield;
    }
    for (const segment of this.#segments.all) yield* this.#sweep(segment);
    this.#replacing = false;
    while (this.#compaction.step()) yield;
  }

  *#paintAll(): Generator<void> {
    for (const segment of this.#segments.all) {
      for (const place of this.#segments.living(segment)) {
        this.#segments.paint(place, this.#color);
        yield;
      }
    }
  }

  *#sweep(segment: Segment): Generator<void> {
    for (const place of this.#segments.living(segment)) {
      if (!this.#segments.isColored(place, this.#color)) {
        const kind = this.#kindAt(place);
        this.#entries.remove(kind, place);
        this.#free(place);
        this.#shrink();
      }
      yield;
    }
  }

  /** Rows must not move under `replace`, which goes over them. */
  #work(): void {
    this.#shrink();
    if (!this.#replacing) this.#compaction.step();
  }

  #shrink(): void {
    try {
      this.#slots.shrink();
    } catch (error) {
      // It only wanted to save memory.
      if (!(error instanceof DirectoryFull)) throw error;
    }
  }

  #free(place: number): void {
    const length = sizeOf(this.#segments.info(place));
    this.#sizes.count(this.#kindAt(place), -1, length);
    this.#segments.free(place);
  }

  /** Does the row that has been encoded stand there already? */
  #isSame(place: number, kind: RowKind): boolean {
    const { bytes, words } = this.#segments.at(place);
    const { length } = this.#row;
    const from = offsetOf(place);
    if (sizeOf(words[from >> 2]!) !== length) return false;
    const idAt = HEAD.id * 4;
    const idEnd = kind.owner === null ? kind.headBytes : HEAD.next * 4;
    const row = this.#row.bytes;
    return (
      row.compare(bytes, from + idAt, from + idEnd, idAt, idEnd) === 0 &&
      row.compare(bytes, from + kind.headBytes, from + length, kind.headBytes, length) === 0
    );
  }

  #kindAt(place: number): RowKind {
    return this.#byNumber[kindOf(this.#segments.info(place)) - 1]!;
  }

  #kind(name: string): RowKind {
    const kind = this.#kinds.get(name);
    if (kind === undefined) throw new Error(`the directory has no kind '${name}'`);
    return kind;
  }
}
