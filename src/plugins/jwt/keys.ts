/**
 * The key of a credential. Parsed once for each row of the directory: a row never changes, and a credential that changes
 * is another row.
 */
import { createPublicKey } from 'node:crypto';
import type { JwtSecret } from '../../entities/jwt-secret.ts';
import { fits, isHmac, type SignatureKey } from '../../lib/jose/algorithms.ts';

type Keys = WeakMap<JwtSecret, SignatureKey | null>;

const plain: Keys = new WeakMap();
const decoded: Keys = new WeakMap();

/** Null: the credential has no key that its algorithm could use. */
export function keyOf(credential: JwtSecret, secretIsBase64: boolean): SignatureKey | null {
  const keys = secretIsBase64 ? decoded : plain;
  let key = keys.get(credential);
  if (key === undefined) keys.set(credential, (key = makeKey(credential, secretIsBase64)));
  return key;
}

function makeKey(
  { algorithm, secret, rsa_public_key: pem }: JwtSecret,
  secretIsBase64: boolean,
): SignatureKey | null {
  const alg = algorithm ?? 'HS256';
  if (isHmac(alg)) {
    const bytes = secretIsBase64 ? decodeSecret(secret ?? '') : Buffer.from(secret ?? '', 'utf8');
    return bytes === null || bytes.length === 0 ? null : bytes;
  }
  if (pem === null) return null;
  try {
    const key = createPublicKey(pem);
    return fits(alg, key) ? key : null;
  } catch {
    return null;
  }
}

/** Either alphabet, with padding or without. */
function decodeSecret(text: string): Buffer | null {
  const bare = text.replace(/={1,2}$/, '');
  return /^[A-Za-z0-9+/_-]*$/.test(bare) && bare.length % 4 !== 1 ? Buffer.from(bare, 'base64') : null;
}
