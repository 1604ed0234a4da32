/**
 * Bearer tokens: `sluice_`, 256 random bits in 43 characters, and a checksum of them in 6. All are letters and digits,
 * so that a double click takes the whole; the prefix lets scanners of leaked secrets find them; the checksum tells a
 * typing error from a token that was revoked, without asking the store.
 *
 * At rest there is only the SHA-256: what is random over 256 bits needs no slow hash.
 */
import { createHash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

const PREFIX = 'sluice_';
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const RANDOM_LENGTH = 43;
const CHECKSUM_LENGTH = 6;
const FORM = new RegExp(`^${PREFIX}([0-9A-Za-z]{${RANDOM_LENGTH}})([0-9A-Za-z]{${CHECKSUM_LENGTH}})$`);

export function mintToken(): string {
  const random = base62(BigInt(`0x${randomBytes(32).toString('hex')}`), RANDOM_LENGTH);
  return `${PREFIX}${random}${checksum(random)}`;
}

/** What is wrong with its form, or null; a token without a fault need not exist. */
export function tokenFault(token: string): string | null {
  if (!token.startsWith(PREFIX)) return `a token begins with ${PREFIX}`;
  const match = FORM.exec(token);
  if (match === null) return 'the token is not complete';
  const [, random = '', sum] = match;
  return checksum(random) === sum ? null : 'the token has a typing error';
}

export function hashToken(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

function checksum(random: string): string {
  return base62(BigInt(crc32(PREFIX + random)), CHECKSUM_LENGTH);
}

function base62(value: bigint, length: number): string {
  let text = '';
  for (let rest = value; text.length < length; rest /= 62n) text = `${DIGITS[Number(rest % 62n)]}${text}`;
  return text;
}
