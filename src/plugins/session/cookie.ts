/**
 * Cookies as browsers take them (RFC 6265bis): a long value lies in several, `session`, `session2` and so on, and the first
 * says how many there are.
 */

export interface CookieAttributes {
  readonly path: string;
  readonly domain: string | null;
  readonly sameSite: 'Strict' | 'Lax' | 'None' | 'Default';
  readonly secure: boolean;
  readonly httpOnly: boolean;
}

/** Octets of a name and a value together; browsers take 4096 and drop what is longer. */
const MAX_COOKIE = 4000;
const MAX_CHUNKS = 9;
/** Browsers keep no cookie longer: 400 days. */
const MAX_AGE = 34_560_000;
const GONE = 'Expires=Thu, 01 Jan 1970 00:00:01 GMT; Max-Age=0';

/**
 * Lines of Set-Cookie, or null: it is too long for cookies.
 *
 * @param before number of cookies that the browser has of it; those that are left over end.
 * @param maxAge seconds; null: until the browser is closed.
 */
export function setCookies(
  name: string,
  value: string,
  attributes: CookieAttributes,
  { before, maxAge }: { readonly before: number; readonly maxAge: number | null },
): string[] | null {
  const room = MAX_COOKIE - name.length - 2;
  const count = Math.max(1, Math.ceil((value.length + 1) / room));
  if (count > MAX_CHUNKS) return null;
  const text = `${count}${value}`;
  const age = maxAge === null ? '' : `; ${lifetime(maxAge)}`;
  const tail = attributeText(attributes);
  const lines: string[] = [];
  for (let n = 0; n < count; n++) {
    lines.push(`${chunkName(name, n)}=${text.slice(n * room, (n + 1) * room)}${tail}${age}`);
  }
  return lines.concat(endLines(name, attributes, count, before));
}

/** Ends all cookies of that name. */
export function endCookies(name: string, attributes: CookieAttributes, before: number): string[] {
  return endLines(name, attributes, 0, Math.max(1, before));
}

/** Null: there is none, or not all of it. */
export function readCookies(
  cookies: ReadonlyMap<string, string>,
  name: string,
): { readonly value: string; readonly count: number } | null {
  const first = cookies.get(name);
  if (first === undefined || !/^[1-9]/.test(first)) return null;
  const count = Number(first[0]);
  let value = first.slice(1);
  for (let n = 1; n < count; n++) {
    const chunk = cookies.get(chunkName(name, n));
    if (chunk === undefined) return null;
    value += chunk;
  }
  return { value, count };
}

/** Why browsers would drop such a cookie, or null. */
export function cookieProblem(name: string, attributes: CookieAttributes): string | null {
  const { secure, sameSite, path, domain } = attributes;
  if (sameSite === 'None' && !secure) return 'cookie_same_site None needs cookie_secure';
  if (/^__Secure-/i.test(name) && !secure) return `a cookie named ${name} needs cookie_secure`;
  if (/^__Host-/i.test(name) && (!secure || path !== '/' || domain !== null)) {
    return `a cookie named ${name} needs cookie_secure, cookie_path / and no cookie_domain`;
  }
  return null;
}

function endLines(name: string, attributes: CookieAttributes, from: number, to: number): string[] {
  const lines: string[] = [];
  for (let n = from; n < Math.min(to, MAX_CHUNKS); n++) {
    lines.push(`${chunkName(name, n)}=${attributeText(attributes)}; ${GONE}`);
  }
  return lines;
}

function chunkName(name: string, n: number): string {
  return n === 0 ? name : `${name}${n + 1}`;
}

function attributeText({ path, domain, sameSite, secure, httpOnly }: CookieAttributes): string {
  let text = `; Path=${path}`;
  if (domain !== null && domain !== '' && domain !== 'localhost') text += `; Domain=${domain}`;
  if (sameSite !== 'Default') text += `; SameSite=${sameSite}`;
  if (secure) text += '; Secure';
  if (httpOnly) text += '; HttpOnly';
  return text;
}

function lifetime(maxAge: number): string {
  const seconds = maxAge > 0 ? Math.min(MAX_AGE, Math.ceil(maxAge)) : MAX_AGE;
  return `Expires=${new Date(Date.now() + seconds * 1000).toUTCString()}; Max-Age=${seconds}`;
}
