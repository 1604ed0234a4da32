/**
 * Arguments in the bodies of requests, as Kong's `kong.request.get_body` reads them: forms, JSON objects and multipart
 * forms. What is none of these, or cannot be read, has no arguments.
 */
import type { Exchange } from '../kit/exchange.ts';

/** Octets; a larger form is no form of a protocol that plugins speak. */
const MAX_BODY = 1024 * 1024;
/** Arguments; the others are not read. */
const MAX_ARGS = 1000;

/** Name → all values, in order. Those of JSON are whatever they are there. */
export type BodyArgs = ReadonlyMap<string, readonly unknown[]>;

export const NO_ARGS: BodyArgs = new Map();

type Kind = 'form' | 'json' | 'multipart';

/** Null: a body of that type has no arguments. */
export function bodyKind(contentType: string | undefined): Kind | null {
  const type = (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase();
  if (type === 'application/x-www-form-urlencoded') return 'form';
  if (type === 'application/json') return 'json';
  return type === 'multipart/form-data' ? 'multipart' : null;
}

/** Answers without a promise where there is nothing to wait for. A body that says it is too large is not read. */
export function bodyArgs(exchange: Exchange): BodyArgs | Promise<BodyArgs> {
  const { headers } = exchange.request;
  const type = headers.get('content-type');
  const kind = bodyKind(type);
  const length = headers.get('content-length');
  if (kind === null || length === '0' || Number(length ?? 0) > MAX_BODY) return NO_ARGS;
  return exchange.request.body({ limit: MAX_BODY }).then((body) => parse(kind, body, type ?? ''));
}

function parse(kind: Kind, body: Buffer, type: string): BodyArgs {
  if (kind === 'form') return formArgs(body.toString('utf8'));
  if (kind === 'json') return jsonArgs(body.toString('utf8'));
  return multipartArgs(body.toString('utf8'), type);
}

function formArgs(text: string): BodyArgs {
  return collect(new URLSearchParams(text));
}

function jsonArgs(text: string): BodyArgs {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return NO_ARGS;
    return collect(Object.entries(value));
  } catch {
    return NO_ARGS;
  }
}

/** Fields, not files (RFC 7578). */
function multipartArgs(text: string, type: string): BodyArgs {
  const boundary = /;\s*boundary=(?:"([^"]+)"|([^\s;]+))/i.exec(type);
  const mark = boundary?.[1] ?? boundary?.[2];
  if (mark === undefined) return NO_ARGS;
  const pairs: Array<[string, string]> = [];
  for (const part of `\r\n${text}`.split(`\r\n--${mark}`).slice(1)) {
    const end = part.indexOf('\r\n\r\n');
    if (part.startsWith('--') || end < 0) continue;
    const head = part.slice(0, end);
    const name = /^content-disposition:[^\r\n]*;\s*name="([^"]*)"/im.exec(head)?.[1];
    if (name !== undefined) pairs.push([name, part.slice(end + 4)]);
  }
  return collect(pairs);
}

function collect(pairs: Iterable<[string, unknown]>): BodyArgs {
  const args = new Map<string, unknown[]>();
  let count = 0;
  for (const [name, value] of pairs) {
    if (++count > MAX_ARGS) break;
    const values = args.get(name);
    if (values === undefined) args.set(name, [value]);
    else values.push(value);
  }
  return args;
}
