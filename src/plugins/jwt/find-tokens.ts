/** Where a request holds its token (Kong's places): query arguments, cookies, headers. */
import type { IncomingRequest } from '../kit/exchange.ts';

export interface TokenPlaces {
  readonly uri_param_names: readonly string[] | null;
  readonly cookie_names: readonly string[] | null;
  readonly header_names: readonly string[] | null;
}

/** The scheme's case does not matter (RFC 9110 §11.1). Linear: what follows the spaces does not begin with one. */
const BEARER = /^\s*bearer\s+(\S.*)$/i;
const NOTHING: readonly string[] = [];

/** Each once: the same token in two places is one. */
export function findTokens(request: IncomingRequest, places: TokenPlaces): readonly string[] {
  let found: readonly string[] = NOTHING;
  const add = (token: string): void => {
    if (token !== '' && !found.includes(token)) found = [...found, token];
  };
  if (request.query !== '') {
    for (const name of places.uri_param_names ?? NOTHING) request.args.get(name)?.forEach(add);
  }
  for (const name of places.cookie_names ?? NOTHING) {
    if (request.cookies.has(name)) cookiesNamed(request, name).forEach(add);
  }
  for (const name of places.header_names ?? NOTHING) {
    // All lines: the upstream may believe another than the first.
    for (const value of request.headers.all(name)) add(bearer(value));
  }
  return found;
}

/** All of them: the upstream may believe the last. */
function cookiesNamed({ headers }: IncomingRequest, name: string): string[] {
  return headers
    .all('cookie')
    .flatMap((line) => line.split(';'))
    .map((pair) => pair.split(/=(.*)/s, 2))
    .filter(([found = '', value]) => value !== undefined && found.trim() === name)
    .map(([, value = '']) => value.trim());
}

/** '' when it is no bearer token. */
export function bearer(value: string): string {
  // Nearly always.
  if (value.startsWith('Bearer ') && value.charCodeAt(7) > 0x20) return value.slice(7);
  return BEARER.exec(value)?.[1] ?? '';
}
