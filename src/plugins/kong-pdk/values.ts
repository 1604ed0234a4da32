/** Values as plugins of `kong-pdk` give and take them. */
import { isUtf8 } from 'node:buffer';
import type { EditHeaders, ReadHeaders } from '../kit/exchange.ts';
import { refuse, type Reply, reply } from '../kit/reply.ts';

/** @throws TypeError */
export function text(value: unknown, what: string): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw new TypeError(`${what} must be a string, a number or a boolean`);
}

export function texts(value: unknown, what: string): string[] {
  return (Array.isArray(value) ? (value as unknown[]) : [value]).map((one) => text(one, what));
}

/** @throws TypeError */
export function entries(value: unknown, what: string): Array<[string, unknown]> {
  if (typeof value !== 'object' || value === null) throw new TypeError(`${what} must be an object`);
  return Object.entries(value);
}

/** @throws TypeError */
export function integer(value: unknown, what: string, least: number, most: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
  throw new TypeError(`${what} must be a whole number from ${least} to ${most}`);
}

/** Text where the bytes are text. */
export function rawBody(bytes: Buffer): string | Buffer {
  return isUtf8(bytes) ? bytes.toString() : bytes;
}

/** One value as it is, several as a list. */
export function single(pairs: Iterable<readonly [string, unknown]>): Record<string, unknown> {
  const lists = new Map<string, unknown[]>();
  for (const [name, value] of pairs) {
    const list = lists.get(name);
    if (list === undefined) lists.set(name, [value]);
    else list.push(value);
  }
  return Object.fromEntries([...lists].map(([name, list]) => [name, list.length === 1 ? list[0] : list]));
}

export function headersOf(headers: ReadHeaders): Record<string, unknown> {
  return single(headers.entries());
}

export function setHeader(headers: EditHeaders, name: string, values: readonly string[]): void {
  headers.set(name, values.length === 1 ? (values[0] as string) : values);
}

/** Arguments as a query: sorted by name, `true` without a value, `false` not at all. @throws TypeError */
export function encodeArgs(args: unknown): string {
  const pairs: string[] = [];
  for (const [name, value] of entries(args, 'the arguments').sort(([a], [b]) => (a < b ? -1 : 1))) {
    for (const one of Array.isArray(value) ? (value as unknown[]) : [value]) {
      if (one === false || one === null || one === undefined) continue;
      const encoded = encodeURIComponent(name);
      pairs.push(
        one === true ? encoded : `${encoded}=${encodeURIComponent(text(one, `argument '${name}'`))}`,
      );
    }
  }
  return pairs.join('&');
}

function replyHeaders(headers: unknown): Record<string, string[]> {
  if (headers === undefined || headers === null) return {};
  return Object.fromEntries(
    entries(headers, 'the headers').map(([name, value]) => [name, texts(value, `header '${name}'`)]),
  );
}

/** `kong.response.exit`. @throws TypeError */
export function exitReply(status: unknown, body: unknown, headers: unknown): Reply {
  const fields = replyHeaders(headers);
  const sent = typeof body === 'number' || typeof body === 'boolean' ? String(body) : body;
  return reply(integer(status, 'the status', 200, 599), sent ?? null, fields);
}

/** `kong.response.error`. @throws TypeError */
export function errorReply(status: unknown, message: unknown, headers: unknown): Reply {
  const said = message === undefined || message === null ? null : text(message, 'the message');
  return refuse(integer(status, 'the status', 400, 599), said, replyHeaders(headers));
}
