/** What a request shows: bearer tokens, refresh tokens, user and password. */
import type { Exchange } from '../kit/exchange.ts';
import { withoutCookies } from '../common/sealed-cookie.ts';
import { type OidcConfig, Unauthorized } from './config.ts';

export interface Shown<T> {
  readonly value: T;
  readonly hide: (exchange: Exchange) => void;
}

const hideAuthorization = (exchange: Exchange): void =>
  exchange.upstreamRequest.headers.remove('authorization');

/** @throws Unauthorized when there are several. */
export function bearerToken(exchange: Exchange, config: OidcConfig): Shown<string> | null {
  const found: Array<Shown<string>> = [];
  for (const place of config.bearer_token_param_type) {
    if (place === 'header') {
      for (const line of exchange.request.headers.all('authorization')) {
        const token = /^bearer +(\S+) *$/i.exec(line)?.[1];
        if (token !== undefined) found.push({ value: token, hide: hideAuthorization });
      }
    } else if (place === 'query') {
      for (const token of exchange.request.args.get('access_token') ?? []) {
        found.push({ value: token, hide: (from) => withoutArg(from, 'access_token') });
      }
    } else if (config.bearer_token_cookie_name !== null) {
      const name = config.bearer_token_cookie_name;
      const token = exchange.request.cookies.get(name);
      if (token !== undefined)
        found.push({ value: token, hide: (from) => hideCookies(from, new Set([name])) });
    }
  }
  // RFC 6750 §2: one way for each request.
  if (found.length > 1) throw new Unauthorized('several tokens');
  const [shown] = found;
  if (shown?.value === '') throw new Unauthorized('an empty token');
  return shown ?? null;
}

export function refreshToken(exchange: Exchange, config: OidcConfig): Shown<string> | null {
  const name = config.refresh_token_param_name;
  const values = exchange.request.headers.all(name);
  if (values.length > 1) throw new Unauthorized('several refresh tokens');
  const value = values[0]?.replace(/^bearer +/i, '');
  if (value === undefined || value === '') return null;
  return { value, hide: (from) => from.upstreamRequest.headers.remove(name) };
}

export interface UserPass {
  readonly user: string;
  readonly password: string;
}

/** RFC 7617. @throws Unauthorized for what is none. */
export function basic(exchange: Exchange): Shown<UserPass> | null {
  const lines = exchange.request.headers.all('authorization').filter((line) => /^basic /i.test(line));
  if (lines.length > 1) throw new Unauthorized('several credentials');
  const text = /^basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(lines[0] ?? '')?.[1];
  if (text === undefined) {
    if (lines.length > 0) throw new Unauthorized('the credentials are not base64');
    return null;
  }
  const pair = Buffer.from(text, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  if (colon < 1) throw new Unauthorized('the credentials have no user and password');
  return { value: { user: pair.slice(0, colon), password: pair.slice(colon + 1) }, hide: hideAuthorization };
}

export function hideCookies(exchange: Exchange, names: ReadonlySet<string>): void {
  const { headers } = exchange.upstreamRequest;
  const lines = headers.all('cookie');
  if (lines.length === 0) return;
  const rest = withoutCookies(lines, names);
  if (rest === null) headers.remove('cookie');
  else headers.set('cookie', rest);
}

/** Takes an argument away from the query that the upstream gets; the rest stays as it is written. */
function withoutArg(exchange: Exchange, name: string): void {
  const { upstreamRequest } = exchange;
  upstreamRequest.query = upstreamRequest.query
    .split('&')
    .filter((pair) => {
      const [key = ''] = pair.split('=', 1);
      try {
        return decodeURIComponent(key.replaceAll('+', ' ')) !== name;
      } catch {
        return true;
      }
    })
    .join('&');
}
