/** User name and password of a header (RFC 7617). */
import { isUtf8 } from 'node:buffer';

export interface UserPass {
  readonly username: string;
  /** As it came: it is hashed as bytes. */
  readonly password: Buffer;
}

const BASIC = /^\s*basic\s*([A-Za-z0-9+/]+={0,2})\s*$/i;
const COLON = 0x3a;

/** Null: it is no such header, or a name that nobody can have: empty, or no UTF-8. */
export function readUserPass(header: string): UserPass | null {
  const [, encoded = ''] = BASIC.exec(header) ?? [];
  const digits = encoded.replace(/=+$/, '').length;
  // So many digits are no octets.
  if (digits === 0 || digits % 4 === 1) return null;
  const bytes = Buffer.from(encoded, 'base64');
  const colon = bytes.indexOf(COLON);
  if (colon <= 0) return null;
  const name = bytes.subarray(0, colon);
  if (!isUtf8(name)) return null;
  return { username: name.toString('utf8'), password: bytes.subarray(colon + 1) };
}
