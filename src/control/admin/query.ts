/** The target of a request as octets, decoded once: what a client escaped, and nothing that a router made of it. */
import { isUtf8 } from 'node:buffer';
import { MAX_ARGUMENTS } from './body/form.ts';
import { RequestError } from './request-error.ts';
import type { AdminContext } from './resource.ts';

/** Without the scheme and authority of a target's absolute form. */
function relative(target: string): string {
  return target.startsWith('/') ? target : target.replace(/^[a-z]+:\/\/[^/?#]*/i, '');
}

function targetOf(context: AdminContext): string {
  const { incoming } = context.env;
  const raw = incoming !== undefined && 'url' in incoming ? incoming.url : undefined;
  return relative(raw ?? context.req.url);
}

function octets(text: string): Buffer {
  const bytes = text.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(parseInt(hex, 16)),
  );
  return Buffer.from(bytes, 'latin1');
}

/** The path's segments as they came, of the path that was routed: `/a/../b` is `/b`, and nothing in it is named `a`. */
export function rawSegments(context: AdminContext): string[] {
  const [path = ''] = relative(context.req.url).split(/[?#]/, 1);
  return path.split('/').slice(1);
}

/** @throws RequestError for what is no UTF-8, or has a zero. */
export function decodeSegment(raw: string): string {
  const bytes = octets(raw);
  if (!isUtf8(bytes) || bytes.includes(0)) throw new RequestError(400, 'the path is not valid UTF-8');
  return bytes.toString('utf8');
}

/** Arguments of the query; of a repeated one all values. What is no UTF-8 has U+FFFD instead. */
export type Query = ReadonlyMap<string, ReadonlyArray<string | true>>;

/** @throws RequestError for too many. */
export function queryOf(context: AdminContext): Query {
  const query = new Map<string, Array<string | true>>();
  const target = targetOf(context);
  const start = target.indexOf('?');
  if (start < 0) return query;
  const text = target.slice(start + 1).split('#', 1)[0] ?? '';
  const parts = text.split('&', MAX_ARGUMENTS + 1).filter((part) => part !== '');
  if (parts.length > MAX_ARGUMENTS) throw new RequestError(400, 'Too many arguments');
  const decode = (one: string): string => octets(one.replaceAll('+', ' ')).toString('utf8');
  for (const part of parts) {
    const equals = part.indexOf('=');
    const name = decode(equals < 0 ? part : part.slice(0, equals));
    const value = equals < 0 ? true : decode(part.slice(equals + 1));
    const values = query.get(name);
    if (values === undefined) query.set(name, [value]);
    else values.push(value);
  }
  return query;
}

/** Kong's reading of a flag in a query. */
export function isSet(query: Query, name: string): boolean {
  const value = query.get(name)?.[0];
  return value === true || (value !== undefined && /^(?:1|true|on|yes)$/i.test(value));
}
