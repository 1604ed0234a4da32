/**
 * The Authorization header of signed requests (draft-cavage-http-signatures in Kong's dialect) and what is signed.
 *
 * Texts are Latin-1, one character for each octet, as headers have them.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

export interface Signature {
  readonly username: string;
  readonly algorithm: string;
  readonly headers: readonly string[];
  /** As it came, in base64. */
  readonly value: string;
}

/** Linear: no value holds a quote. */
const FIELDS =
  /^\s*hmac\s*username="([^"]+)",\s*algorithm="([^"]+)",\s*headers="([^"]+)",\s*signature="([^"]+)"/i;

/** Null: the header is missing, or is of another scheme or form. */
export function readSignature(header: string | undefined): Signature | null {
  const match = header === undefined ? null : FIELDS.exec(header);
  if (match === null) return null;
  const [, username = '', algorithm = '', headers = '', value = ''] = match;
  return { username, algorithm, headers: headers.split(' '), value };
}

/** The parts of a request that may be signed. */
export interface SignedParts {
  readonly method: string;
  /** Path and query as they came. */
  readonly target: string;
  /** `1.0`, `1.1` or `2`. */
  readonly httpVersion: string;
  /** @param name in lower case. */
  received(name: string): readonly string[];
}

/** One line for each name, in the order of the names. */
export function signingText(names: readonly string[], request: SignedParts): string {
  let text = '';
  for (const [at, name] of names.entries()) {
    if (at > 0) text += '\n';
    const [value] = request.received(name.toLowerCase());
    if (value !== undefined) text += `${name}: ${value}`;
    else if (name === '@request-target') text += `${name}: ${request.method.toLowerCase()} ${request.target}`;
    else if (name === 'request-line')
      text += `${request.method} ${request.target} HTTP/${versionOf(request)}`;
    else text += `${name}:`;
  }
  return text;
}

function versionOf({ httpVersion }: SignedParts): string {
  return httpVersion === '2' ? '2.0' : httpVersion;
}

const HASHES: ReadonlyMap<string, string> = new Map([
  ['hmac-sha1', 'sha1'],
  ['hmac-sha256', 'sha256'],
  ['hmac-sha384', 'sha384'],
  ['hmac-sha512', 'sha512'],
]);

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** @param algorithm one of Kong's names. */
export function isSignedWith(key: Buffer, { algorithm, value }: Signature, text: string): boolean {
  if (!BASE64.test(value)) return false;
  const hash = HASHES.get(algorithm);
  if (hash === undefined) return false;
  const expected = createHmac(hash, key).update(text, 'latin1').digest();
  const shown = Buffer.from(value, 'base64');
  return shown.length === expected.length && timingSafeEqual(shown, expected);
}
