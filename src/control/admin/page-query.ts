/** `size` and `offset` of a list, and the body that answers a page of it, as Kong has them. */
import { isUuid } from '../../entities/schema/string-check.ts';
import { CODES, StoreError } from '../../store/errors.ts';
import type { AdminContext } from './resource.ts';

const DEFAULT_SIZE = 100;
const MAX_SIZE = 1000;

/** @throws StoreError */
export function pageQuery(context: AdminContext): { readonly size: number; readonly after: string | null } {
  return { size: sizeOf(context.req.query('size')), after: offsetOf(context.req.query('offset')) };
}

function sizeOf(text: string | undefined): number {
  if (text === undefined) return DEFAULT_SIZE;
  const size = text === '' ? Number.NaN : Number(text);
  if (Number.isNaN(size)) throw new StoreError(CODES.invalidSize, 'size must be a number');
  if (Number.isInteger(size) && size >= 1 && size <= MAX_SIZE) return size;
  throw new StoreError(CODES.invalidSize, `size must be an integer between 1 and ${MAX_SIZE}`);
}

/** The id after which the page begins, as the JSON of a primary key in base64. */
function offsetOf(text: string | undefined): string | null {
  if (text === undefined) return null;
  const bad = new StoreError(CODES.invalidOffset, `'${text}' is not a valid offset: bad base64 encoding`);
  try {
    const key: unknown = JSON.parse(Buffer.from(text, 'base64').toString());
    if (Array.isArray(key) && isUuid(key[0])) return key[0];
  } catch {
    throw bad;
  }
  throw bad;
}

export function pageBody(context: AdminContext, data: readonly unknown[], next: string | null): object {
  if (next === null) return { data, next };
  const offset = Buffer.from(JSON.stringify([next])).toString('base64');
  return { data, offset, next: `${context.req.path}?offset=${encodeURIComponent(offset)}` };
}
