/**
 * What a cookie holds, encrypted and bound to its use: AES-256-GCM with a key for each cookie, made by HKDF (RFC 5869) from
 * the secret and a random salt, so that neither keys nor nonces ever repeat however many cookies there are.
 *
 * Salt (16), nonce (12), ciphertext, tag (16), in base64url.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

const CIPHER = 'aes-256-gcm';
const SALT = 16;
const NONCE = 12;
const TAG = 16;
const INFO = 'sluice session cookie 1';

/** @param use another use cannot open it: the cookie's name, and what the session is for. */
export function seal(text: string, secret: string, use: string): string {
  const salt = randomBytes(SALT);
  const nonce = randomBytes(NONCE);
  const cipher = createCipheriv(CIPHER, keyOf(secret, salt), nonce);
  cipher.setAAD(Buffer.from(use));
  const parts = [salt, nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()];
  return Buffer.concat(parts).toString('base64url');
}

/** Null: it was sealed with another secret or for another use, or was changed. */
export function unseal(sealed: string, secret: string, use: string): string | null {
  const bytes = Buffer.from(sealed, 'base64url');
  if (bytes.length < SALT + NONCE + TAG || bytes.toString('base64url') !== sealed) return null;
  const salt = bytes.subarray(0, SALT);
  const nonce = bytes.subarray(SALT, SALT + NONCE);
  const decipher = createDecipheriv(CIPHER, keyOf(secret, salt), nonce, { authTagLength: TAG });
  decipher.setAAD(Buffer.from(use));
  decipher.setAuthTag(bytes.subarray(-TAG));
  try {
    const text = decipher.update(bytes.subarray(SALT + NONCE, -TAG));
    return Buffer.concat([text, decipher.final()]).toString('utf8');
  } catch {
    return null;
  }
}

function keyOf(secret: string, salt: Buffer): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, salt, INFO, 32));
}
