/**
 * What tells clients apart: their consumer, address, a header, or a cookie that they are given.
 *
 * Where it is missing, the next one stands in, as in Kong: header or cookie, then consumer, then address. Only `none` has no
 * key: each request is drawn for itself.
 */
import { randomUUID } from 'node:crypto';
import type { Exchange } from '../kit/exchange.ts';

export type KeyKind = 'consumer' | 'ip' | 'header' | 'cookie' | 'none';

export interface CookieConfig {
  readonly cookie_name: string;
  readonly cookie_path: string;
  readonly cookie_domain: string | null;
  readonly cookie_same_site: 'Strict' | 'Lax' | 'None';
  readonly cookie_secure: boolean | null;
  readonly cookie_http_only: boolean;
  readonly cookie_max_age: number;
}

export interface ClientKey {
  readonly key: string;
  /** `Set-Cookie` of a client that has none; null: nothing is to be set. */
  readonly setCookie: string | null;
}

/** Longer values were not made here, and would only be hashed. */
const KNOWN = /^[\w-]{8,64}$/;

export function clientKey(
  exchange: Exchange,
  kind: Exclude<KeyKind, 'none'>,
  config: CookieConfig & { readonly hash_header: string | null },
): ClientKey {
  if (kind === 'cookie') return cookieKey(exchange, config);
  const key =
    kind === 'header' && config.hash_header !== null ? headerKey(exchange, config.hash_header) : null;
  return { key: key ?? (kind === 'ip' ? exchange.client.ip : whoCalls(exchange)), setCookie: null };
}

function whoCalls({ consumer, credential, client }: Exchange): string {
  return consumer?.id ?? credential?.id ?? client.ip;
}

/** Null: it is not there, or says nothing. */
function headerKey({ request }: Exchange, name: string): string | null {
  const values = request.headers.all(name);
  return values.length === 0 ? null : values.join(',') || null;
}

function cookieKey(exchange: Exchange, config: CookieConfig): ClientKey {
  const known = exchange.request.cookies.get(config.cookie_name);
  if (known !== undefined && KNOWN.test(known)) return { key: known, setCookie: null };
  const key = randomUUID();
  const secure = config.cookie_secure ?? exchange.request.forwarded.scheme === 'https';
  return { key, setCookie: cookieLine(key, config, secure) };
}

function cookieLine(value: string, config: CookieConfig, secure: boolean): string {
  const { cookie_domain: domain, cookie_max_age: age } = config;
  let line = `${config.cookie_name}=${value}; Path=${config.cookie_path}`;
  if (domain !== null && domain !== '') line += `; Domain=${domain}`;
  if (age > 0) line += `; Max-Age=${age}`;
  line += `; SameSite=${config.cookie_same_site}`;
  if (secure) line += '; Secure';
  if (config.cookie_http_only) line += '; HttpOnly';
  return line;
}
