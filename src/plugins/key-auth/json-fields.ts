/** Members of a JSON object with their places: the text is checked by `JSON.parse`, then walked once without recursion. */
import { isUtf8 } from 'node:buffer';
import type { BodyField } from './fields.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const SEPARATOR = Buffer.from(',');

interface Member {
  readonly name: string;
  /** Behind the brace or comma before it. */
  readonly from: number;
  readonly valueFrom: number;
  readonly to: number;
}

/** Values of the outermost object's members of that name. */
export function jsonFields(body: Buffer, name: string): BodyField[] {
  return membersOf(body)
    .filter((member) => member.name === name)
    .map(({ valueFrom, to }) => {
      const value: unknown = JSON.parse(body.toString('utf8', valueFrom, to));
      const many = typeof value === 'object' && value !== null;
      return { value: typeof value === 'string' ? value : null, many };
    });
}

export function withoutJsonFields(body: Buffer, name: string): Buffer {
  const members = membersOf(body);
  const [first] = members;
  const last = members.at(-1);
  if (first === undefined || last === undefined) return body;
  const kept = members.filter((member) => member.name !== name);
  if (kept.length === members.length) return body;
  const pieces = kept.flatMap(({ from, to }, at) =>
    at === 0 ? [body.subarray(from, to)] : [SEPARATOR, body.subarray(from, to)],
  );
  return Buffer.concat([body.subarray(0, first.from), ...pieces, body.subarray(last.to)]);
}

/** None when it is no JSON object. */
function membersOf(body: Buffer): Member[] {
  const members: Member[] = [];
  if (!isUtf8(body) || !isObject(body)) return members;
  for (let from = skipSpace(body, 0) + 1; ;) {
    const start = skipSpace(body, from);
    if (body[start] === CLOSE) return members;
    const nameEnd = endOfString(body, start);
    const valueFrom = skipSpace(body, skipSpace(body, nameEnd) + 1);
    const to = endOfValue(body, valueFrom);
    members.push({ name: JSON.parse(body.toString('utf8', start, nameEnd)) as string, from, valueFrom, to });
    const next = skipSpace(body, to);
    if (body[next] !== COMMA) return members;
    from = next + 1;
  }
}

function isObject(body: Buffer): boolean {
  if (body[skipSpace(body, 0)] !== OPEN) return false;
  try {
    JSON.parse(body.toString('utf8'));
    return true;
  } catch {
    return false;
  }
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function skipSpace(body: Buffer, at: number): number {
  while (isSpace(body[at])) at++;
  return at;
}

function endOfString(body: Buffer, at: number): number {
  for (at++; body[at] !== QUOTE; at++) if (body[at] === BACKSLASH) at++;
  return at + 1;
}

function endOfValue(body: Buffer, at: number): number {
  let depth = 0;
  for (;;) {
    const byte = body[at];
    if (byte === QUOTE) {
      at = endOfString(body, at);
      if (depth === 0) return at;
      continue;
    }
    if (byte === OPEN || byte === OPEN_LIST) depth++;
    else if (byte === CLOSE || byte === CLOSE_LIST) {
      if (depth === 0) return at;
      if (--depth === 0) return at + 1;
    } else if (depth === 0 && (byte === COMMA || isSpace(byte))) return at;
    at++;
  }
}
