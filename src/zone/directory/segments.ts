/**
 * The writer's side of the rows: segments that are filled from their beginning and never written again, but for what
 * stands in the heads of rows.
 *
 * A row that has been replaced or removed stays where it is, dead, for readers that have its place. A segment that is
 * half dead is emptied: what lives in it is put again at the end of the last one (writer.ts). An empty segment is
 * dropped; readers that are still in it keep its memory until they are through.
 */
import { DirectoryFull, type Memory } from './memory.ts';
import {
  COLOR,
  DEAD,
  HEAD,
  MAX_SEGMENTS,
  offsetOf,
  placeOf,
  SEGMENT_BYTES,
  segmentOf,
  type SegmentView,
  sizeOf,
  viewOf,
} from './tables.ts';

export interface Segment extends SegmentView {
  readonly number: number;
  readonly buffer: SharedArrayBuffer;
  /** Where the next row begins. */
  end: number;
  /** Octets of dead rows. */
  dead: number;
  /** It waits to be emptied. */
  queued: boolean;
}

export interface SegmentNews {
  added(segment: Segment): void;
  dropped(number: number): void;
}

const MIN_BYTES = 64 << 10;
const MAX_BYTES = 4 << 20;
/** A new segment has this share of what there is. */
const SHARE = 1 / 8;

export class Segments {
  readonly #memory: Memory;
  readonly #news: SegmentNews;
  readonly #byNumber = new Map<number, Segment>();
  readonly #numbers: number[] = [];
  #nextNumber = 1;
  readonly #toEmpty: Segment[] = [];
  #last: Segment | null = null;
  #bytes = 0;

  constructor(memory: Memory, news: SegmentNews) {
    this.#memory = memory;
    this.#news = news;
  }

  get all(): Iterable<Segment> {
    return this.#byNumber.values();
  }

  /** Octets of all segments. */
  get bytes(): number {
    return this.#bytes;
  }

  at(place: number): Segment {
    const segment = this.#byNumber.get(segmentOf(place));
    if (segment === undefined) throw new Error('a place of the directory is in no segment');
    return segment;
  }

  info(place: number): number {
    return this.at(place).words[(offsetOf(place) >> 2) + HEAD.info]!;
  }

  setInfo(place: number, info: number): void {
    this.setWord(place, HEAD.info, info);
  }

  /** A word of a row's head. */
  word(place: number, word: number): number {
    return this.at(place).words[(offsetOf(place) >> 2) + word]!;
  }

  setWord(place: number, word: number, value: number): void {
    Atomics.store(this.at(place).words, (offsetOf(place) >> 2) + word, value);
  }

  /** Makes sure that `append` has room. @throws DirectoryFull */
  makeRoom(length: number): void {
    const last = this.#last;
    if (last !== null && last.end + length <= last.buffer.byteLength && last.end < SEGMENT_BYTES) return;
    const number = this.#numbers.pop() ?? this.#nextNumber++;
    if (number > MAX_SEGMENTS) {
      this.#nextNumber--;
      throw new DirectoryFull('consumers and credentials have all the segments that there can be');
    }
    const wanted = Math.min(MAX_BYTES, Math.max(MIN_BYTES, this.#bytes * SHARE));
    let buffer: SharedArrayBuffer;
    try {
      buffer = this.#memory.take(Math.ceil(Math.max(wanted, length) / 4096) * 4096);
    } catch (error) {
      this.#numbers.push(number);
      throw error;
    }
    const segment = { ...viewOf(buffer), number, buffer, end: 0, dead: 0, queued: false };
    this.#byNumber.set(number, segment);
    this.#bytes += buffer.byteLength;
    this.#last = segment;
    if (last !== null) this.#retire(last);
    this.#news.added(segment);
  }

  /** After `makeRoom`. Answers the row's place. */
  append(row: Uint8Array, length: number): number {
    const segment = this.#last!;
    const place = placeOf(segment.number, segment.end);
    segment.bytes.set(row.subarray(0, length), segment.end);
    segment.end += length;
    return place;
  }

  /** The row is in no index and in no list any more. */
  free(place: number): void {
    const segment = this.at(place);
    const info = this.info(place);
    this.setInfo(place, info | DEAD);
    segment.dead += sizeOf(info);
    this.#retire(segment);
  }

  /** A segment of which half is dead: it is worth to move what lives in it. */
  takeHalfDead(): Segment | undefined {
    return this.#toEmpty.pop();
  }

  #retire(segment: Segment): void {
    if (segment === this.#last) return;
    if (!segment.queued && segment.dead * 2 >= segment.end) {
      segment.queued = true;
      this.#toEmpty.push(segment);
    }
    if (segment.dead < segment.end) return;
    if (!this.#byNumber.delete(segment.number)) return;
    this.#numbers.push(segment.number);
    this.#bytes -= segment.buffer.byteLength;
    this.#memory.release(segment.buffer);
    this.#news.dropped(segment.number);
  }

  /** Places of what lives in a segment, also of rows that are appended meanwhile. */
  *living(segment: Segment): Generator<number> {
    for (let at = 0; at < segment.end;) {
      const info = segment.words[at >> 2]!;
      if ((info & DEAD) === 0) yield placeOf(segment.number, at);
      at += sizeOf(info);
    }
  }

  /** Has it the colour? */
  isColored(place: number, color: number): boolean {
    return (this.info(place) & COLOR) === color;
  }

  paint(place: number, color: number): void {
    this.setInfo(place, (this.info(place) & ~COLOR) | color);
  }
}
