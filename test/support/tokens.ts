/** Signed tokens for tests, written here by node:crypto alone: what is tested is not its own judge. */
import { createHmac, type KeyObject, sign } from 'node:crypto';

export type Signer = (input: string) => Buffer;

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

export function hmac(hash: string, secret: string | Buffer): Signer {
  return (input) => createHmac(hash, secret).update(input).digest();
}

export function rsa(hash: string, key: KeyObject | string): Signer {
  return (input) => sign(hash, Buffer.from(input), key);
}

export function token(header: object, claims: unknown, signer: Signer): string {
  const input = `${base64url(header)}.${base64url(claims)}`;
  return `${input}.${signer(input).toString('base64url')}`;
}
