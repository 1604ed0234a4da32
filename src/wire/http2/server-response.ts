/** From a response's head to the flat list of fields that `node:http2` sends. */
import { NO_BODY, UNKNOWN_LENGTH } from '../message.ts';
import type { ResponseHead, Trailers } from '../message.ts';

/** Fields that concern one HTTP/1.1 connection (RFC 9113 §8.2.2). */
const CONNECTION_SPECIFIC: ReadonlySet<string> = new Set([
  'connection',
  'upgrade',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'te',
]);

/**
 * `:status` first; a length that the head knows and no field says is added, one that says another goes. Connection-specific
 * fields are left in: the wire of an upstream has taken them out, and `node:http2` refuses what it finds all the same
 * (then `withoutConnectionFields` helps).
 */
export function responseFields({ status, headers, bodyLength }: ResponseHead): string[] {
  const fields = [':status', String(status)];
  if (bodyLength !== NO_BODY) {
    const declared = headers.get('content-length');
    const length = bodyLength === UNKNOWN_LENGTH ? undefined : String(bodyLength);
    if (declared !== undefined && (declared !== length || headers.repeats('content-length')))
      headers.remove('content-length');
    if (length !== undefined && declared !== length) fields.push('content-length', length);
  }
  headers.each((name, value) => fields.push(name, value));
  return fields;
}

export function withoutConnectionFields(fields: readonly string[]): string[] {
  const kept: string[] = [];
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at] ?? '';
    if (!CONNECTION_SPECIFIC.has(name.toLowerCase())) kept.push(name, fields[at + 1] ?? '');
  }
  return kept;
}

/** For the calls of `node:http2` that only take an object. */
export function fieldsObject(fields: Trailers): Record<string, string | string[]> {
  const object: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>;
  for (let at = 0; at < fields.length; at += 2) {
    const name = (fields[at] ?? '').toLowerCase();
    const value = fields[at + 1] ?? '';
    const present = object[name];
    if (CONNECTION_SPECIFIC.has(name) || name.startsWith(':')) continue;
    if (present === undefined) object[name] = value;
    else if (typeof present === 'string') object[name] = [present, value];
    else present.push(value);
  }
  return object;
}
