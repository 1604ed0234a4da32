/**
 * The state of a breaker in one integer, so that one compare-and-swap changes all of it and no thread can be ended in the
 * middle:
 *
 *     bits 0-1    kind
 *     bits 2-5    how often it has opened in a row, 15 at most
 *     bits 6-31   closed, open, forced: when that began, in ticks (about a week until they begin anew)
 *                 half-open: 16 bits of that, and behind them the successes of probes (a configuration asks for 500 at most)
 *
 * A try keeps the word that it was let in under (its era). What it tells counts only while that era lasts: an answer that
 * comes late says nothing of what has begun meanwhile.
 */

export const CLOSED = 0;
export const OPEN = 1;
export const HALF_OPEN = 2;
/** Somebody has opened it by hand: it stays so. */
export const FORCED = 3;

export type Kind = 0 | 1 | 2 | 3;
export const KIND_NAMES = ['closed', 'open', 'half-open', 'forced-open'] as const;

/** Milliseconds. */
const TICK_MS = 10;
const TICKS = 2 ** 26;
const MAX_OPENINGS = 15;
const STAMPS = 2 ** 16;
const SUCCESS_SHIFT = 6 + 16;

export function kindOf(word: number): Kind {
  return (word & 3) as Kind;
}

export function openingsOf(word: number): number {
  return (word >>> 2) & 15;
}

/** @param now milliseconds by the clock of all threads. */
export function wordOf(kind: Kind, openings: number, now: number): number {
  const tick = Math.floor(now / TICK_MS) % (kind === HALF_OPEN ? STAMPS : TICKS);
  return kind | (Math.min(openings, MAX_OPENINGS) << 2) | (tick << 6);
}

/** Milliseconds since a closed or open state began; 0 where another thread's clock is a little ahead. */
export function ageOf(word: number, now: number): number {
  const ticks = (Math.floor(now / TICK_MS) - (word >>> 6)) & (TICKS - 1);
  return ticks > TICKS / 2 ? 0 : ticks * TICK_MS;
}

/** What a try is let in under. */
export function eraOf(word: number): number {
  return (word & 3) === HALF_OPEN ? word & ((1 << SUCCESS_SHIFT) - 1) : word;
}

export function successesOf(halfOpen: number): number {
  return halfOpen >>> SUCCESS_SHIFT;
}

export function withSuccess(halfOpen: number): number {
  return (halfOpen + (1 << SUCCESS_SHIFT)) | 0;
}
