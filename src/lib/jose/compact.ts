/**
 * Signed tokens in compact form (JWS, RFC 7515 §7.1), taken apart once. Strict where leniency would let one token be
 * written in many ways: base64url without padding (RFC 7515 §2) and with zeros in its unused bits.
 *
 * Of a member that stands twice the last counts (RFC 7515 §4, RFC 7519 §4), as in Kong.
 */

export type JsonObject = Readonly<Record<string, unknown>>;

export interface CompactToken {
  readonly header: JsonObject;
  readonly claims: JsonObject;
  /** A text, whatever its algorithm is worth. */
  readonly alg: string;
  /** What was signed: both parts as they came. */
  readonly input: string;
  readonly signature: Buffer;
}

/** What is wrong with a token, in Kong's words. */
export type TokenFault =
  | 'invalid JSON'
  | 'invalid alg'
  | 'invalid claims'
  | 'invalid signature'
  | 'unsupported critical header';

const BASE64URL = /^[A-Za-z0-9_-]*$/;

/** @param accepts says of an algorithm whether there is one of that name. */
export function readCompact(token: string, accepts: (alg: string) => boolean): CompactToken | TokenFault {
  const first = token.indexOf('.');
  const second = first < 0 ? -1 : token.indexOf('.', first + 1);
  if (second < 0) return 'invalid JSON';
  const header = readJson(token.slice(0, first));
  const claims = readJson(token.slice(first + 1, second));
  if (header === undefined || claims === undefined) return 'invalid JSON';
  const alg = isObject(header) ? header['alg'] : null;
  if (!isObject(header) || typeof alg !== 'string' || !accepts(alg)) return 'invalid alg';
  // RFC 7515 §4.1.11: who does not understand what is critical refuses it; there is nothing that is understood here.
  if (Object.hasOwn(header, 'crit')) return 'unsupported critical header';
  if (!isObject(claims)) return 'invalid claims';
  const signature = decodeBase64url(token.slice(second + 1));
  if (signature === null) return 'invalid signature';
  return { header, claims, alg, input: token.slice(0, second), signature };
}

/** Null when it is not the one way to write these octets. */
export function decodeBase64url(text: string): Buffer | null {
  if (!BASE64URL.test(text) || text.length % 4 === 1) return null;
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : null;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Undefined: it is no base64url, no UTF-8 or no JSON. */
function readJson(part: string): unknown {
  const bytes = decodeBase64url(part);
  if (bytes === null) return undefined;
  try {
    return JSON.parse(UTF8.decode(bytes)) as unknown;
  } catch {
    return undefined;
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A member of the object itself: names such as `constructor` find nothing by inheritance. */
export function member(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}
