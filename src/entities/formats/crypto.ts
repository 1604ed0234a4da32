/** Certificates and keys: do they parse, do they belong together. */
import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';

export function parseCertificate(pem: string): X509Certificate | null {
  try {
    return new X509Certificate(pem);
  } catch {
    return null;
  }
}

export function parsePrivateKey(pem: string): KeyObject | null {
  try {
    return createPrivateKey(pem);
  } catch {
    return null;
  }
}

export function parsePublicKey(pem: string): KeyObject | null {
  // A private key's PEM would be accepted too, and give its public half.
  if (pem.includes('PRIVATE KEY')) return null;
  try {
    return createPublicKey(pem);
  } catch {
    return null;
  }
}

export function checkCertificate(pem: string): string | null {
  return parseCertificate(pem) === null ? 'invalid certificate: not a PEM encoded X.509 certificate' : null;
}

export function checkPrivateKey(pem: string): string | null {
  return parsePrivateKey(pem) === null ? 'invalid key: not a PEM encoded private key' : null;
}

/** Null when one of the two does not parse: that is reported at its own field. */
export function keyMatches(certificatePem: string, keyPem: string): boolean | null {
  const certificate = parseCertificate(certificatePem);
  const key = parsePrivateKey(keyPem);
  return certificate === null || key === null ? null : certificate.checkPrivateKey(key);
}

/** `rsa`, `ec`, `ed25519`, … or null. */
export function keyTypeOf(certificatePem: string): string | null {
  return parseCertificate(certificatePem)?.publicKey.asymmetricKeyType ?? null;
}

/** JWK as JSON text: does it hold a key? `oct` is a symmetric one. */
export function isJwk(jwk: Readonly<Record<string, unknown>>): boolean {
  if (jwk['kty'] === 'oct') return typeof jwk['k'] === 'string' && jwk['k'] !== '';
  const input = { key: jwk, format: 'jwk' } as const;
  try {
    if (typeof jwk['d'] === 'string') createPrivateKey(input);
    else createPublicKey(input);
    return true;
  } catch {
    return false;
  }
}

export function publicHalf(privateKey: KeyObject): KeyObject {
  return createPublicKey(privateKey);
}
