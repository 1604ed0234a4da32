/**
 * What writer and readers of the directory share: places of rows, their heads, the slots of the index, and the news by
 * which readers learn of buffers.
 *
 * A place is a 32-bit number: twelve bits of segment, twenty of offset in units of 8 octets. Segment 0 does not exist,
 * so that 0 is no place.
 */

/** Words of the control block. */
export const CONTROL = {
  /** Number of the last news. A reader that has seen it and has not taken the news does so first. */
  epoch: 0,
  /** Key of the hash. */
  k0: 1,
  k1: 2,
} as const;
export const CONTROL_BYTES = 64;

/** Buffers come, go and change their place only by such a message, which is sent before the epoch says so. */
export interface News {
  readonly epoch: number;
  /** The index from now on; null: as before. */
  readonly index: SharedArrayBuffer | null;
  readonly added: ReadonlyArray<{ readonly number: number; readonly buffer: SharedArrayBuffer }>;
  /** Segments with no row. Their numbers may be given again. */
  readonly dropped: readonly number[];
}

export const MAX_SEGMENTS = 4095;
/** Where a row may begin at most. */
export const SEGMENT_BYTES = 8 << 20;

export function placeOf(segment: number, offset: number): number {
  return (segment << 20) | (offset >> 3);
}

export function segmentOf(place: number): number {
  return place >>> 20;
}

/** In octets. */
export function offsetOf(place: number): number {
  return (place & 0xfffff) << 3;
}

/** A segment as either side sees it. */
export interface SegmentView {
  readonly bytes: Buffer;
  readonly words: Int32Array;
}

export function viewOf(buffer: SharedArrayBuffer): SegmentView {
  return { bytes: Buffer.from(buffer), words: new Int32Array(buffer) };
}

/**
 * Words of a row's head, from its first one. `info` is the row's size in units of 8 octets (22 bits), its kind (6
 * bits), its colour, and whether it is dead: the last two are the writer's own. `next` and `before` are places in the
 * owner's list; `before` is the writer's own.
 */
export const HEAD = { info: 0, id: 1, owner: 5, next: 9, before: 10 } as const;
export const MAX_ROW_BYTES = ((1 << 22) - 1) * 8;
export const COLOR = 1 << 28;
export const DEAD = 1 << 29;

export function infoOf(bytes: number, kind: number): number {
  return (bytes >> 3) | (kind << 22);
}

/** In octets. */
export function sizeOf(info: number): number {
  return (info & 0x3fffff) << 3;
}

export function kindOf(info: number): number {
  return (info >> 22) & 0x3f;
}

/** Slots: two words each, tag and place. */
export const FREE = 0;
/** Its entry has gone; the search goes on. Segment 0 does not exist. */
export const GONE = 1;

/** Where the search for a tag begins. @param slots their number */
export function firstSlot(tag: number, slots: number): number {
  return Math.floor((tag >>> 0) * (slots / 0x1_0000_0000));
}
