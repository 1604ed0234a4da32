/** nginx's `charset`, which Kong sets to UTF-8: text that an upstream sends without a charset gets one. */
import type { Headers } from '../wire/message.ts';

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

export function addCharset(headers: Headers, charset: string): void {
  const type = headers.get('content-type');
  if (type === undefined) return;
  const semicolon = type.indexOf(';');
  const bare = semicolon < 0 ? type : type.slice(0, semicolon).trimEnd();
  if (bare.length > LONGEST || !TEXT_TYPES.has(bare.toLowerCase())) return;
  if (semicolon >= 0 && /;\s*charset\s*=/i.test(type)) return;
  headers.set('Content-Type', `${type}; charset=${charset}`);
}
