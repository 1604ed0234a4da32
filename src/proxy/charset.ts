/**
 * nginx's `charset`, which Kong sets to UTF-8: text that an upstream sends without a charset gets one.
 *
 * As there, only the bare type is looked for: one with parameters of its own (`text/plain; version=0.0.4`) stays as it
 * is, and so does that of a 301 and 302.
 */
import type { ResponseHead } from '../wire/message.ts';

/** nginx's charset_types. */
const TEXT_TYPES: ReadonlySet<string> = new Set([
  'text/html',
  'text/xml',
  'text/plain',
  'text/vnd.wap.wml',
  'application/javascript',
  'application/rss+xml',
]);
const LONGEST = 'application/javascript'.length;

export function addCharset(
  { status, headers }: Pick<ResponseHead, 'status' | 'headers'>,
  charset: string,
): void {
  const type = headers.get('content-type');
  if (type === undefined || type.length > LONGEST || !TEXT_TYPES.has(type.toLowerCase())) return;
  if (status !== 301 && status !== 302) headers.set('Content-Type', `${type}; charset=${charset}`);
}
