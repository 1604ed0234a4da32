/** `a=1&b=2`: names and values of a form or a query, in order. A name without `=` has the value true, as in nginx. */

export type Argument = readonly [name: string, value: string | true];

/** Kong's `max_post_args` and `max_uri_args`. */
export const MAX_ARGUMENTS = 1000;

/** At most one more than `MAX_ARGUMENTS`. Null: what is percent-encoded is not UTF-8. */
export function parseForm(text: string): Argument[] | null {
  const list: Argument[] = [];
  for (let start = 0, end = 0; end < text.length && list.length <= MAX_ARGUMENTS; start = end + 1) {
    const found = text.indexOf('&', start);
    end = found < 0 ? text.length : found;
    const part = text.slice(start, end);
    const equals = part.indexOf('=');
    const name = unescape(equals < 0 ? part : part.slice(0, equals));
    const value = equals < 0 ? true : unescape(part.slice(equals + 1));
    if (name === null || value === null) return null;
    if (name !== '') list.push([name, value]);
  }
  return list;
}

function unescape(text: string): string | null {
  const spaced = text.replaceAll('+', ' ');
  if (!spaced.includes('%')) return spaced;
  try {
    // A percent sign that begins no escape is itself, as in nginx.
    return decodeURIComponent(spaced.replaceAll(/%(?![0-9a-f]{2})/gi, '%25'));
  } catch {
    return null;
  }
}

/** Lua's `tonumber`: decimal or hexadecimal, with spaces around. Null: no number. */
export function luaNumber(text: string): number | null {
  const trimmed = text.trim();
  const hexadecimal = /^([+-]?)(0x[0-9a-f]+)$/i.exec(trimmed);
  if (hexadecimal !== null) return Number(hexadecimal[2]) * (hexadecimal[1] === '-' ? -1 : 1);
  return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(trimmed) ? Number(trimmed) : null;
}
