/** `size`, `offset` and `tags` of a list, with Kong's messages, and the tokens that stand for a place in it. */
import type { PageOptions } from '../../../store/config-store.ts';
import { CODES, invalidOption, StoreError } from '../../../store/errors.ts';
import { luaNumber } from '../body/form.ts';
import type { Query } from '../query.ts';

const DEFAULT_SIZE = 100;
const MAX_SIZE = 1000;
const MAX_TAGS = 5;

/** @throws StoreError code 9 */
export function pageSize(query: Query): number {
  const given = query.get('size');
  if (given === undefined) return DEFAULT_SIZE;
  const [text] = given;
  const size = given.length === 1 && typeof text === 'string' ? luaNumber(text) : null;
  if (size === null) throw new StoreError(CODES.invalidSize, 'size must be a number');
  if (!Number.isInteger(size) || size < 1 || size > MAX_SIZE) {
    throw new StoreError(CODES.invalidSize, `size must be an integer between 1 and ${MAX_SIZE}`);
  }
  return size;
}

/** `a,b`: all of them, `a/b`: any. @throws StoreError code 11 */
export function pageTags(query: Query): PageOptions['tags'] {
  const [given] = query.get('tags') ?? [];
  if (given === undefined) return null;
  if (given === '') throw invalidTags('cannot be null');
  const match = given !== true && given.includes('/') ? 'any' : 'all';
  const separator = match === 'any' ? '/' : ',';
  // Kong lets the list end with a separator.
  const names = given === true ? [''] : given.replace(/[,/]$/, '').split(separator);
  if (!names.every((name) => /^[ -+\-.0-~\u0080-\u{10ffff}]+$/u.test(name) && !name.includes('\ufffd'))) {
    throw invalidTags('invalid filter syntax');
  }
  if (names.length > MAX_TAGS) throw invalidTags('cannot query more than 5 tags');
  return { match, names };
}

function invalidTags(problem: string): StoreError {
  return invalidOption('tags', problem);
}

/** As Kong on Postgres: base64 of a JSON array. */
export function offsetToken(values: ReadonlyArray<string | number>): string {
  return Buffer.from(JSON.stringify(values)).toString('base64').replaceAll('=', '');
}

/** @throws StoreError code 7, unless the token has values of these types. */
export function offsetOf(query: Query, types: readonly string[]): unknown[] | null {
  const [token] = query.get('offset') ?? [];
  if (token === undefined) return null;
  const text = token === true ? '' : token;
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.replaceAll('=', '').length % 4 === 1) {
    throw invalidOffset(text, 'bad base64 encoding');
  }
  let values: unknown = null;
  try {
    values = JSON.parse(Buffer.from(text, 'base64').toString('utf8'));
  } catch {
    // Answered below.
  }
  const fits =
    Array.isArray(values) &&
    values.length === types.length &&
    values.every((value, index) => typeof value === types[index]);
  if (!fits) throw invalidOffset(text, 'bad json encoding');
  return values as unknown[];
}

export function invalidOffset(text: string, problem: string): StoreError {
  return new StoreError(CODES.invalidOffset, `'${text}' is not a valid offset: ${problem}`);
}

/** One page as Kong answers it; `next` is null on the last. @param carried arguments that go along, `&size=1`. */
export function pageBody(
  data: readonly unknown[],
  token: string | null,
  path: string,
  carried = '',
): Record<string, unknown> {
  if (token === null) return { data, next: null };
  return { data, offset: token, next: `${path}?offset=${encodeURIComponent(token)}${carried}` };
}

/** These arguments of the query, for the next page. */
export function carry(query: Query, ...names: readonly string[]): string {
  return names
    .map((name) => {
      const [value] = query.get(name) ?? [];
      return typeof value === 'string' ? `&${name}=${encodeURIComponent(value)}` : '';
    })
    .join('');
}
