/** Query arguments and cookies, taken apart as Kong and browsers do. Bounded: a request's head is. */

/** `+` is a space; what is no proper escape stays as it is. Each name has its values in the order in which they came. */
export function parseArgs(query: string): ReadonlyMap<string, readonly string[]> {
  const args = new Map<string, string[]>();
  if (query === '') return args;
  for (const pair of query.split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = decodeArg(equals < 0 ? pair : pair.slice(0, equals));
    const value = equals < 0 ? '' : decodeArg(pair.slice(equals + 1));
    const values = args.get(name);
    if (values === undefined) args.set(name, [value]);
    else values.push(value);
  }
  return args;
}

// eslint-disable-next-line no-control-regex
const PLAIN = /^[\u0000-\u0024\u0026-\u002a\u002c-\u007f]*$/;
const PERCENT = 0x25;
const PLUS = 0x2b;
const SPACE = 0x20;

/** Octets that are UTF-8 become the text that they say; others stay Latin-1, each octet one character. */
function decodeArg(text: string): string {
  if (PLAIN.test(text)) return text;
  const bytes = Buffer.from(text, 'latin1');
  let to = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    const value = byte === PERCENT ? escaped(text, at) : -1;
    if (value >= 0) at += 2;
    bytes[to++] = value >= 0 ? value : byte === PLUS ? SPACE : byte;
  }
  const decoded = bytes.subarray(0, to);
  const utf8 = decoded.toString('utf8');
  return utf8.includes('\ufffd') && !Buffer.from(utf8).equals(decoded) ? decoded.toString('latin1') : utf8;
}

/** The octet that `%XX` at `at` says, or -1. */
function escaped(text: string, at: number): number {
  const digits = text.slice(at + 1, at + 3);
  return /^[0-9a-fA-F]{2}$/.test(digits) ? Number.parseInt(digits, 16) : -1;
}

/** RFC 6265 §5.4, from the lines of `Cookie`; of a name that stands twice the first value. */
export function parseCookies(lines: readonly string[]): ReadonlyMap<string, string> {
  const cookies = new Map<string, string>();
  for (const line of lines) {
    for (const pair of line.split(';')) {
      const equals = pair.indexOf('=');
      if (equals < 0) continue;
      const name = pair.slice(0, equals).trim();
      if (!cookies.has(name)) cookies.set(name, pair.slice(equals + 1).trim());
    }
  }
  return cookies;
}
