/** Paths of services and routes. */
import { isUtf8 } from 'node:buffer';

const RESERVED = "!*'();:@&=+$,/?%#[]";
const PATH = /^\/[\w.\-~/%:@!$&'()*+,;=]*$/;

/** A service's path: RFC 3986's characters and whole percent triplets. */
export function checkPath(path: string): string | null {
  if (!PATH.test(path)) {
    return `invalid path: '${path}' (characters outside of the reserved list of RFC 3986 found)`;
  }
  return checkPercent(path);
}

/** Every `%` begins a triplet. */
export function checkPercent(path: string): string | null {
  if (!path.includes('%')) return null;
  const rest = path.replaceAll(/%[0-9a-f]{2}/gi, '___');
  const at = rest.indexOf('%');
  return at === -1 ? null : `invalid url-encoded value: '${rest.slice(at, at + 3)}'`;
}

/**
 * The form in which the router matches paths: percent triplets decoded unless reserved (those in upper case), dot
 * segments removed, slashes merged. A triplet that is no UTF-8 stays as it is, since it has no character.
 */
export function normalizePath(path: string): string {
  const decoded = path.includes('%') ? decodeUnreserved(path, (char) => char) : path;
  return decoded.includes('.') || decoded.includes('//') ? removeDotSegments(decoded) : decoded;
}

/** @param spell How a decoded byte is written, one char per byte. */
function decodeUnreserved(path: string, spell: (char: string) => string): string {
  return path.replaceAll(/(?:%[0-9a-f]{2})+/gi, (run) => {
    const bytes = Buffer.from(run.replaceAll('%', ''), 'hex');
    const latin1 = [...bytes].map((byte) => {
      const char = String.fromCharCode(byte);
      return RESERVED.includes(char) ? `%${byte.toString(16).toUpperCase().padStart(2, '0')}` : spell(char);
    });
    const decoded = Buffer.from(latin1.join(''), 'latin1');
    return isUtf8(decoded) ? decoded.toString() : run.toUpperCase();
  });
}

/** Bytes that are no characters have stayed encoded, while a request's are decoded: the path would never match. */
export function hasUndecodedBytes(normalized: string): boolean {
  return /%[89A-F]/.test(normalized);
}

function removeDotSegments(path: string): string {
  const output: string[] = [];
  const segments = path.split('/').slice(1);
  for (const [index, segment] of segments.entries()) {
    const last = index === segments.length - 1;
    const dots = segment === '.' || segment === '..';
    if (segment === '..') output.pop();
    else if (!dots && segment !== '') output.push(segment);
    // A path that ends in a slash or a dot segment keeps its last slash.
    if (last && (dots || segment === '')) output.push('');
  }
  return `/${output.join('/')}`;
}

/** Kong 2's rule for what was a regex in `paths` (`_format_version` 1.1 and 2.1): any character beyond these. */
const PLAIN = /^[a-zA-Z0-9.\-_~/%]*$/;

/** A path of `_format_version` 1.1 or 2.1 as version 3.0 writes it: regexes get their `~`, plain paths are normalized. */
export function migratePath(path: string): string {
  if (PLAIN.test(path)) return path.startsWith('/') ? normalizePath(path) : path;
  return `~${normalizeRegex(path)}`;
}

/** Unreserved triplets become characters, escaped where a regex would read them. */
function normalizeRegex(regex: string): string {
  return decodeUnreserved(regex, (char) => ('.^-{}\\|'.includes(char) ? `\\${char}` : char));
}
