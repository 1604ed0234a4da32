/** What a file can make grow has a bound: how deep it nests, what its aliases add, what is said of its errors. */

export const MAX_DEPTH = 100;

/** Values that aliases may add to those that the text writes out. */
export const MAX_ALIASED_VALUES = 1_000_000;

/** Errors beyond it are counted, not listed: a file that is wrong in every line must not fill the memory. */
export const MAX_ERRORS = 10_000;

export function moreErrors(count: number): string {
  return `${count} more errors are not listed`;
}

const HEAD = 600;
const TAIL = 400;

/** Messages quote values, which may be of any length: both ends stay, since the reason often stands last. */
export function shorten(text: string): string {
  return text.length <= HEAD + TAIL ? text : `${text.slice(0, HEAD)}…${text.slice(-TAIL)}`;
}
