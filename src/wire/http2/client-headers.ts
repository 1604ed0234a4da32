/**
 * Header lists of HTTP/2 requests to upstreams and of their responses (RFC 9113 §8): flat arrays both ways, so that no
 * object with a property for each field is made on top of what `node:http2` makes anyway.
 *
 * nghttp2 has checked a response: names are lower case, no value has a line's end, pseudo-header fields come first, there
 * are no fields of a connection, and Content-Length agrees with the frames.
 */
import { reasonPhrase } from '../../lib/reason-phrases.ts';
import { FlatHeaders } from '../flat-headers.ts';
import { NO_BODY, UNKNOWN_LENGTH } from '../message.ts';
import type { BodyLength, OutgoingRequest, ResponseHead, Trailers } from '../message.ts';

/** What HTTP/2 forbids (§8.2.2), or has a pseudo-header field for; `te` is written by us. */
const NOT_FORWARDED: ReadonlySet<string> = new Set([
  'connection',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** The request's header list: pseudo-header fields, `te`, and the request's own. */
export function requestFields(head: OutgoingRequest, scheme: 'http' | 'https'): string[] {
  const { bodyLength, headers } = head;
  const fields = [
    ':method',
    head.method,
    ':scheme',
    scheme,
    ':authority',
    head.authority,
    ':path',
    head.target,
  ];
  if (head.acceptsTrailers) fields.push('te', 'trailers');
  if (bodyLength >= 0) fields.push('content-length', String(bodyLength));
  headers.each((name, value) => {
    const lower = lowerCase(name);
    if (lower !== 'content-length' && !NOT_FORWARDED.has(lower)) fields.push(lower, value);
  });
  return fields;
}

/** @param fields as they came, `:status` among them; @param ended the head is all there is. */
export function responseHead(fields: readonly string[], ended: boolean, method: string): ResponseHead {
  let status = 0;
  let length: BodyLength = UNKNOWN_LENGTH;
  const kept: string[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] as string;
    const value = fields[i + 1] as string;
    if (name === ':status') status = Number(value);
    else {
      if (name === 'content-length') length = Number(value);
      kept.push(name, value);
    }
  }
  const bodiless = method === 'HEAD' || status === 204 || status === 304;
  const bodyLength = bodiless ? NO_BODY : ended ? 0 : length;
  return { status, reason: reasonPhrase(status), headers: FlatHeaders.of(kept), bodyLength };
}

/** Trailers as `node:http2` takes them: several lines of one name are an array. */
export function trailersObject(trailers: Trailers): Record<string, string | string[]> {
  const object: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>;
  for (let i = 0; i + 1 < trailers.length; i += 2) {
    const name = lowerCase(trailers[i] as string);
    const value = trailers[i + 1] as string;
    const before = object[name];
    if (NOT_FORWARDED.has(name) || name.startsWith(':')) continue;
    if (before === undefined) object[name] = value;
    else if (typeof before === 'string') object[name] = [before, value];
    else before.push(value);
  }
  return object;
}

/** Names that the gateway writes itself and clients send again and again: a look-up costs less than a new string. */
const LOWER_NAMES = new Map<string, string>();
const MAX_NAMES = 512;

function lowerCase(name: string): string {
  const known = LOWER_NAMES.get(name);
  if (known !== undefined) return known;
  const lower = name.toLowerCase();
  if (LOWER_NAMES.size < MAX_NAMES && name.length <= 64) LOWER_NAMES.set(name, lower);
  return lower;
}
