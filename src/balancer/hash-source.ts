/**
 * What a request is hashed on (Kong's `hash_on` and `hash_fallback`), and the cookie that keeps a client at its target.
 *
 * A source answers undefined when the request does not have it; then the fallback is asked, and without any the hash is
 * that of the empty text, as in Kong. A cookie is never missing: one is made, and `made` says so for the response.
 */
import { randomUUID } from 'node:crypto';
import { hash32 } from '../zone/hash32.ts';

/** What of a request may be hashed. */
export interface HashInput {
  /** Id of the consumer, or of the credential without one; null: nobody. */
  readonly consumerId: string | null;
  readonly clientIp: string;
  /** Normalized. */
  readonly path: string;
  /** Without the question mark. */
  readonly query: string;
  /** Values of a header, one for each line, by lower-case name. */
  hashHeader(name: string): readonly string[];
  /** A capture of the route's path, by name or number. */
  capture(name: string): string | undefined;
}

/** Of an upstream, by Kong's names. */
export interface HashOptions {
  readonly hash_on: HashKind;
  readonly hash_fallback: HashKind;
  readonly hash_on_header: string | null;
  readonly hash_fallback_header: string | null;
  readonly hash_on_cookie: string | null;
  readonly hash_on_cookie_path: string;
  readonly hash_on_query_arg: string | null;
  readonly hash_fallback_query_arg: string | null;
  readonly hash_on_uri_capture: string | null;
  readonly hash_fallback_uri_capture: string | null;
}

export type HashKind =
  | 'none'
  | 'consumer'
  | 'ip'
  | 'header'
  | 'cookie'
  | 'path'
  | 'query_arg'
  | 'uri_capture';

/** @param name of header, cookie, argument or capture. */
type Source = (request: HashInput, name: string) => string | undefined;

const SOURCES: Readonly<Record<HashKind, Source>> = {
  none: () => undefined,
  consumer: ({ consumerId }) => consumerId ?? undefined,
  ip: ({ clientIp }) => clientIp,
  header: (request, name) => {
    const values = request.hashHeader(name.toLowerCase());
    return values.length === 0 ? undefined : values.join('');
  },
  cookie: (request, name) => cookieOf(request.hashHeader('cookie'), name),
  path: ({ path }) => path,
  query_arg: ({ query }, name) => queryArg(query, name),
  uri_capture: (request, name) => request.capture(name),
};

/** What a request is hashed on was found in, or made for, it. */
export interface Hashed {
  readonly hash: number;
  /** `Set-Cookie` of a cookie that was made; null: none was. */
  readonly setCookie: string | null;
}

export class HashSource {
  readonly #kinds: ReadonlyArray<readonly [kind: HashKind, name: string]>;
  readonly #cookie: string;
  readonly #cookiePath: string;

  constructor(options: HashOptions) {
    const { hash_on: on, hash_fallback: fallback } = options;
    this.#cookie = options.hash_on_cookie ?? '';
    this.#cookiePath = options.hash_on_cookie_path;
    const names = {
      header: [options.hash_on_header, options.hash_fallback_header],
      cookie: [options.hash_on_cookie, options.hash_on_cookie],
      query_arg: [options.hash_on_query_arg, options.hash_fallback_query_arg],
      uri_capture: [options.hash_on_uri_capture, options.hash_fallback_uri_capture],
    } as const;
    const nameOf = (kind: HashKind, which: 0 | 1): string =>
      (kind in names ? names[kind as keyof typeof names][which] : null) ?? '';
    this.#kinds = [
      [on, nameOf(on, 0)],
      [fallback, nameOf(fallback, 1)],
    ];
  }

  of(request: HashInput): Hashed {
    for (const [kind, name] of this.#kinds) {
      const value = SOURCES[kind](request, name);
      if (value !== undefined) return { hash: hash32(value), setCookie: null };
      if (kind === 'cookie') return this.#newCookie();
    }
    return { hash: hash32(''), setCookie: null };
  }

  /** Kong writes `Same-Site`, which no browser knows. */
  #newCookie(): Hashed {
    const value = randomUUID();
    const setCookie = `${this.#cookie}=${value}; Path=${this.#cookiePath}; SameSite=Lax; HttpOnly`;
    return { hash: hash32(value), setCookie };
  }
}

/** The first cookie of that name; undefined also when it is empty, since nobody would be told from others by that. */
function cookieOf(lines: readonly string[], name: string): string | undefined {
  for (const line of lines) {
    for (const pair of line.split(';')) {
      const equals = pair.indexOf('=');
      if (equals < 0 || pair.slice(0, equals).trim() !== name) continue;
      const value = pair.slice(equals + 1).trim();
      if (value !== '') return value;
    }
  }
  return undefined;
}

/** All values of an argument, sorted; one without a value is `true`. */
function queryArg(query: string, name: string): string | undefined {
  const values: string[] = [];
  for (const pair of query.split('&')) {
    const equals = pair.indexOf('=');
    const key = equals < 0 ? pair : pair.slice(0, equals);
    if (key === '' || decoded(key) !== name) continue;
    values.push(equals < 0 ? 'true' : decoded(pair.slice(equals + 1)));
  }
  return values.length === 0 ? undefined : values.toSorted().join(',');
}

/** Form encoding, leniently: what is no escape stands for itself. Bytes as characters, as everywhere on the path. */
function decoded(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text;
  return text
    .replaceAll('+', ' ')
    .replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
