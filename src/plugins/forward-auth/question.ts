/**
 * What the service is asked, and what of its answer is passed on.
 *
 * The service decides by X-Forwarded-Method, -Proto, -Host, -Uri and -For, so what a client sends of these and of their
 * kin never gets there. A question carries the ids of the configurations that asked; one that comes back to its own is a
 * loop.
 */
import { createHash } from 'node:crypto';
import { escapePath, normalizePath } from '../../router/path.ts';
import type { Exchange, ReadHeaders } from '../kit/exchange.ts';
import type { ReplyHeaders } from '../kit/reply.ts';
import type { FetchResponse } from '../kit/services.ts';
import type { ForwardAuthConfig } from './schema.ts';

/** Ids of the configurations that have asked on behalf of this request. */
const MARK = 'x-sluice-forward-auth';
/** Ten gateways in a row. */
const LONGEST_MARK = 10 * 37;

/** Of the connection or of the message itself (RFC 9110 §7.6.1), and what the gateway says of itself. */
const OWN = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'forwarded',
  'x-real-ip',
  MARK,
]);

/** Lower case. */
export function passes(name: string): boolean {
  return !OWN.has(name) && !name.startsWith('x-forwarded-');
}

export function isLoop(headers: ReadHeaders, pluginId: string): boolean {
  const mark = headers.get(MARK);
  return mark !== undefined && (mark.length > LONGEST_MARK || mark.includes(pluginId));
}

/** The header fields of the question. */
export function questionHeaders(
  { request, client }: Exchange,
  config: ForwardAuthConfig,
  pluginId: string,
): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = Object.create(null);
  const names = config.request_headers?.map((name) => name.toLowerCase());
  const wanted = names ?? new Set([...request.headers.entries()].map(([name]) => name));
  for (const name of wanted) {
    if (!passes(name)) continue;
    const values = request.headers.all(name);
    if (values.length > 0) headers[name] = values.length === 1 ? (values[0] ?? '') : [...values];
  }
  if (!config.send_body) delete headers['content-type'];
  const { scheme, host, port } = request.forwarded;
  // As the route was found and the upstream is asked: a service that goes by beginnings must not see another path.
  const path = escapePath(normalizePath(request.forwarded.path));
  const before = client.trusted ? request.headers.get('x-forwarded-for') : undefined;
  const mark = request.headers.get(MARK);
  return {
    ...headers,
    'x-forwarded-method': request.method,
    'x-forwarded-proto': scheme,
    'x-forwarded-host': host,
    'x-forwarded-port': String(port),
    'x-forwarded-uri': request.query === '' ? path : `${path}?${request.query}`,
    'x-forwarded-for': before === undefined ? client.socketIp : `${before}, ${client.socketIp}`,
    [MARK]: mark === undefined ? pluginId : `${mark} ${pluginId}`,
  };
}

/** By what a permission is kept; null: it is not kept. */
export function cacheKey({ request }: Exchange, config: ForwardAuthConfig): string | null {
  const values = config.cache_headers.map((name) => request.headers.all(name));
  if (config.cache_ttl === 0 || values.every((list) => list.length === 0)) return null;
  const { scheme, host, port, path } = request.forwarded;
  const url = config.cache_by_url ? [request.method, scheme, host, port, path, request.query] : [];
  // No credential is kept as it is, and a huge one takes no more room.
  return createHash('sha256')
    .update(JSON.stringify([values, url]))
    .digest('base64');
}

/** What the client is sent of a refusal's header. */
export function refusalHeaders(
  { headers }: FetchResponse,
  names: readonly string[] | null,
): Record<string, string | readonly string[]> {
  return picked(headers, names ?? Object.keys(headers).filter(passes));
}

export function picked(headers: FetchResponse['headers'], names: readonly string[]): ReplyHeadersOf {
  const found: ReplyHeadersOf = Object.create(null);
  for (const name of names) {
    const value = headers[name.toLowerCase()];
    if (value !== undefined && passes(name.toLowerCase())) found[name] = value;
  }
  return found;
}

type ReplyHeadersOf = { -readonly [name in keyof ReplyHeaders]: ReplyHeaders[name] };
