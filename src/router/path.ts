/**
 * Paths as the router sees them and as an upstream gets them.
 *
 * Everywhere a path is a string with one char per byte (latin1). The normalized path is what is matched and what is
 * forwarded: bytes that no reader could take for a delimiter are percent-decoded, the reserved ones stay encoded
 * with upper-case digits, so that two spellings of one path cannot reach two routes. Before it leaves for an
 * upstream, whatever may not stand in a request target is encoded again.
 */

const SLASH = 0x2f;
const DOT = 0x2e;
const PERCENT = 0x25;

/** Bytes that keep their percent-encoding (Kong's list of RFC 3986 reserved characters, and the percent itself). */
const RESERVED = new Uint8Array(256);
for (const char of "!*'();:@&=+$,/?%#[]") RESERVED[char.charCodeAt(0)] = 1;

/**
 * Percent-decodes, removes dot segments (RFC 3986 §5.2.4) and merges slashes. Answers the same string when there is
 * nothing to do; a percent sign that no two hex digits follow stays as it is.
 */
export function normalizePath(rawPath: string): string {
  const length = rawPath.length;
  let previous = 0;
  for (let i = 0; i < length; i++) {
    const byte = rawPath.charCodeAt(i);
    if (byte === PERCENT) return normalizeSlow(decodePath(rawPath));
    if (previous === SLASH && (byte === SLASH || (byte === DOT && isDotSegment(rawPath, i)))) {
      return normalizeSlow(decodePath(rawPath));
    }
    previous = byte;
  }
  return rawPath;
}

/** A segment that starts at `at`, with a dot, is `.` or `..`. */
function isDotSegment(path: string, at: number): boolean {
  const next = at + 1 < path.length && path.charCodeAt(at + 1) === DOT ? at + 2 : at + 1;
  return next === path.length || path.charCodeAt(next) === SLASH;
}

function decodePath(path: string): string {
  return path.replace(/%([0-9A-Fa-f]{2})/g, (triplet, hex: string) => {
    const byte = Number.parseInt(hex, 16);
    return RESERVED[byte] === 1 ? triplet.toUpperCase() : String.fromCharCode(byte);
  });
}

/** Slashes are merged first, as nginx does: `/a//../b` is `/b`. */
function normalizeSlow(path: string): string {
  if (!path.startsWith('/')) return path;
  const kept: string[] = [];
  const segments = path.split('/');
  let last = '';
  for (let i = 1; i < segments.length; i++) {
    last = segments[i] ?? '';
    if (last === '..') kept.pop();
    else if (last !== '' && last !== '.') kept.push(last);
  }
  const isFolder = last === '' || last === '.' || last === '..';
  if (kept.length === 0) return '/';
  return `/${kept.join('/')}${isFolder ? '/' : ''}`;
}

/** What may stand in a path for an upstream as it is (Kong's list). */
const NEEDS_ESCAPE = /[^!#$&'()*+,/:;=?@[\]A-Za-z0-9\-_.~%]/;
const ESCAPES: readonly string[] = Array.from(
  { length: 256 },
  (_, byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
);

/** Percent-encodes what may not stand in a request target; the same string when nothing must. */
export function escapePath(path: string): string {
  const first = path.search(NEEDS_ESCAPE);
  if (first === -1) return path;
  let escaped = path.slice(0, first);
  for (let i = first; i < path.length; i++) {
    const char = path.charAt(i);
    escaped += NEEDS_ESCAPE.test(char) ? (ESCAPES[char.charCodeAt(0)] ?? encodeURIComponent(char)) : char;
  }
  return escaped;
}

/**
 * The path sent upstream, escaped, without query.
 *
 * @param servicePath `path` of the service, `/` when it has none.
 * @param requestPath normalized.
 * @param matchedPrefix what the route's path matched; '' when the route has no paths.
 * @param strip `strip_path` of the route.
 * @param handling effective `path_handling`: v1 only with the flavor `traditional`.
 */
export function upstreamPath(
  servicePath: string,
  requestPath: string,
  matchedPrefix: string,
  strip: boolean,
  handling: 'v0' | 'v1',
): string {
  const base = servicePath === '' ? '/' : servicePath;
  const joined =
    handling === 'v0'
      ? joinV0(base, requestPath, strip ? postfixOf(requestPath, matchedPrefix) : null)
      : joinV1(base, strip ? postfixOf(requestPath, matchedPrefix) : requestPath.slice(1));
  return escapePath(joined);
}

/** What is left of the path, less a dot segment that stripping laid bare (`/route` off `/route../x`). */
function postfixOf(requestPath: string, matchedPrefix: string): string {
  const postfix = requestPath.slice(matchedPrefix === '' ? 1 : matchedPrefix.length);
  if (postfix.charCodeAt(0) !== DOT) return postfix;
  if (postfix === '.' || postfix === '..') return '';
  if (postfix.startsWith('./')) return postfix.slice(2);
  return postfix.startsWith('../') ? postfix.slice(3) : postfix;
}

/** @param postfix null: the path is not stripped. */
function joinV0(base: string, requestPath: string, postfix: string | null): string {
  if (base.endsWith('/')) {
    if (postfix === null) return base === '/' ? requestPath : base + requestPath.slice(1);
    if (postfix.startsWith('/')) return base === '/' ? postfix : base.slice(0, -1) + postfix;
    if (postfix !== '' || base === '/' || requestPath.endsWith('/')) return base + postfix;
    return base.slice(0, -1);
  }
  if (postfix === null) return requestPath === '/' ? base : base + requestPath;
  if (postfix === '') return requestPath.length > 1 && requestPath.endsWith('/') ? `${base}/` : base;
  return postfix.startsWith('/') ? base + postfix : `${base}/${postfix}`;
}

function joinV1(base: string, postfix: string): string {
  return base.endsWith('/') && postfix.startsWith('/') ? base + postfix.slice(1) : base + postfix;
}
