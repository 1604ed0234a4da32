/** Names and passwords as clients show them, and names as a directory knows them. */
import { isUtf8 } from 'node:buffer';

export interface Credentials {
  readonly username: string;
  /** Never empty: a directory takes a bind without a password for an anonymous one, and says yes (RFC 4513 §5.1.2). */
  readonly password: string;
}

/** What a header may hold of each. */
const MAX_LENGTH = 1024;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** @param header value of Authorization. @param type what stands before the credentials, in any case. */
export function credentialsOf(header: string, type: string): Credentials | null {
  const text = header.trim();
  const [scheme = ''] = /^\S+/.exec(text) ?? [];
  if (scheme.toLowerCase() !== type.toLowerCase()) return null;
  const encoded = text.slice(scheme.length).trim();
  if (!BASE64.test(encoded)) return null;
  const bytes = Buffer.from(encoded, 'base64');
  if (!isUtf8(bytes)) return null;
  const decoded = bytes.toString('utf8');
  const colon = decoded.indexOf(':');
  if (colon < 0) return null;
  const username = decoded.slice(0, colon);
  const password = decoded.slice(colon + 1);
  if (username === '' || password === '') return null;
  return username.length > MAX_LENGTH || password.length > MAX_LENGTH ? null : { username, password };
}

/** The distinguished name of a user (RFC 4514 §2.4): whatever the name holds, it stays the value of this attribute. */
export function userDn(attribute: string, username: string, baseDn: string): string {
  return `${attribute}=${escapeValue(username)},${baseDn}`;
}

function escapeValue(text: string): string {
  const chars = Array.from(text);
  const last = chars.length - 1;
  return chars
    .map((char, at) => {
      // NUL would end the name for some; control characters are nobody's name.
      if (/[\p{Cc}]/u.test(char)) return hex(char);
      const edge = (at === 0 && (char === ' ' || char === '#')) || (at === last && char === ' ');
      return edge || '"+,;<>\\='.includes(char) ? `\\${char}` : char;
    })
    .join('');
}

function hex(char: string): string {
  return Buffer.from(char)
    .toString('hex')
    .replaceAll(/../g, String.raw`\$&`);
}
