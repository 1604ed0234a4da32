/**
 * Cookies whose content the browser neither reads nor changes: JSON, sealed with AES-256-GCM by a key that is made of a
 * secret and a purpose, with the cookie's name authenticated. What does not fit into one cookie goes into several (browsers
 * take 4 KiB each), as a header line of Kong's and nginx's may hold 8 KiB, up to three; long content is deflated first.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';

const NONCE = 12;
const TAG = 16;
const PLAIN = 0;
const DEFLATED = 1;
/** Longer content is deflated. */
const LONG = 2500;
/** Octets of a cookie's value, so that name and attributes have room in 4,096. */
const CHUNK = 3800;
const MOST_CHUNKS = 3;
const MOST_CONTENT = 64 * 1024;

export interface CookieAttributes {
  readonly path: string;
  readonly domain: string | null;
  readonly sameSite: 'Strict' | 'Lax' | 'None' | 'Default';
  readonly httpOnly: boolean;
  readonly secure: boolean;
  /** Seconds; null: until the browser is closed. */
  readonly maxAge?: number | null;
}

export class CookieSealer {
  readonly #key: Buffer;

  /** @param purpose cookies of one purpose mean nothing to another. */
  constructor(secret: string, purpose: string) {
    this.#key = Buffer.from(hkdfSync('sha256', secret, '', `sluice cookie 1: ${purpose}`, 32));
  }

  seal(name: string, content: object): string {
    const json = Buffer.from(JSON.stringify(content), 'utf8');
    const long = json.length > LONG;
    const nonce = randomBytes(NONCE);
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce);
    const form = Buffer.of(long ? DEFLATED : PLAIN);
    cipher.setAAD(Buffer.from(name));
    const body = [cipher.update(form), cipher.update(long ? deflateRawSync(json) : json), cipher.final()];
    return Buffer.concat([nonce, ...body, cipher.getAuthTag()]).toString('base64url');
  }

  /** Null: it was not sealed here, or not for this. */
  open(name: string, text: string): unknown {
    const bytes = Buffer.from(text, 'base64url');
    if (bytes.length < NONCE + TAG + 1) return null;
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(0, NONCE));
      decipher.setAAD(Buffer.from(name));
      decipher.setAuthTag(bytes.subarray(-TAG));
      const plain = Buffer.concat([decipher.update(bytes.subarray(NONCE, -TAG)), decipher.final()]);
      const body = plain.subarray(1);
      const json = plain[0] === DEFLATED ? inflateRawSync(body, { maxOutputLength: MOST_CONTENT }) : body;
      return JSON.parse(json.toString('utf8'));
    } catch {
      return null;
    }
  }
}

/** The value of a cookie that may have been written in several; null: it is not there, or not whole. */
export function readCookie(cookies: ReadonlyMap<string, string>, name: string): string | null {
  const first = cookies.get(name);
  if (first === undefined) return null;
  const many = /^([2-9])\./.exec(first)?.[1];
  if (many === undefined) return first;
  let value = first.slice(2);
  for (let n = 2; n <= Number(many); n++) {
    const part = cookies.get(`${name}${n}`);
    if (part === undefined) return null;
    value += part;
  }
  return value;
}

/**
 * Lines of Set-Cookie. What an earlier, longer value has left behind is taken away.
 *
 * @returns null: it is too long for cookies.
 */
export function cookieLines(
  name: string,
  value: string,
  attributes: CookieAttributes,
  present: ReadonlyMap<string, string>,
): string[] | null {
  const chunks = Math.ceil(value.length / CHUNK);
  if (chunks > MOST_CHUNKS) return null;
  const tail = attributesText(attributes);
  const lines: string[] = [];
  for (let n = 0; n < chunks; n++) {
    const mark = n === 0 && chunks > 1 ? `${chunks}.` : '';
    lines.push(`${chunkName(name, n)}=${mark}${value.slice(n * CHUNK, (n + 1) * CHUNK)}${tail}`);
  }
  return [...lines, ...clearing(name, chunks, attributes, present)];
}

/** Lines of Set-Cookie that end it. */
export function clearedCookie(
  name: string,
  attributes: CookieAttributes,
  present: ReadonlyMap<string, string>,
): string[] {
  return clearing(name, 0, attributes, present);
}

function clearing(
  name: string,
  from: number,
  attributes: CookieAttributes,
  present: ReadonlyMap<string, string>,
): string[] {
  const lines: string[] = [];
  for (let n = from; n < MOST_CHUNKS; n++) {
    if (!present.has(chunkName(name, n))) continue;
    lines.push(`${chunkName(name, n)}=${attributesText({ ...attributes, maxAge: 0 })}`);
  }
  return lines;
}

/** The names under which a cookie may stand. */
export function cookieNames(name: string): string[] {
  return Array.from({ length: MOST_CHUNKS }, (_, n) => chunkName(name, n));
}

function chunkName(name: string, n: number): string {
  return n === 0 ? name : `${name}${n + 1}`;
}

/** What stands behind the value. */
export function attributesText({
  path,
  domain,
  sameSite,
  httpOnly,
  secure,
  maxAge,
}: CookieAttributes): string {
  let text = `; Path=${path}`;
  if (domain !== null) text += `; Domain=${domain}`;
  if (maxAge !== null && maxAge !== undefined) text += `; Max-Age=${maxAge}`;
  if (sameSite !== 'Default') text += `; SameSite=${sameSite}`;
  if (httpOnly) text += '; HttpOnly';
  if (secure) text += '; Secure';
  return text;
}

/** A Cookie header without these cookies; null: nothing is left. */
export function withoutCookies(lines: readonly string[], names: ReadonlySet<string>): string | null {
  const kept = lines
    .flatMap((line) => line.split(';'))
    .map((pair) => pair.trim())
    .filter((pair) => pair !== '' && !names.has(pair.split('=', 1)[0]?.trim() ?? ''));
  return kept.length === 0 ? null : kept.join('; ');
}
