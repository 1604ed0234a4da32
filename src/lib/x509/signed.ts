/** Signatures of what authorities sign beside certificates: lists of revoked certificates and OCSP responses. */
import { type KeyObject, verify } from 'node:crypto';
import { promisify } from 'node:util';
import * as der from './der.ts';
import { children, DerError, type Element, expect, TAG } from './der-read.ts';

/** By object identifier in hexadecimal; null: the algorithm has its own. None with SHA-1, which can be forged. */
const DIGESTS: ReadonlyMap<string, string | null> = new Map([
  [der.oid('1.2.840.113549.1.1.11').toString('hex'), 'sha256'],
  [der.oid('1.2.840.113549.1.1.12').toString('hex'), 'sha384'],
  [der.oid('1.2.840.113549.1.1.13').toString('hex'), 'sha512'],
  [der.oid('1.2.840.10045.4.3.2').toString('hex'), 'sha256'],
  [der.oid('1.2.840.10045.4.3.3').toString('hex'), 'sha384'],
  [der.oid('1.2.840.10045.4.3.4').toString('hex'), 'sha512'],
  [der.oid('1.3.101.112').toString('hex'), null],
  [der.oid('1.3.101.113').toString('hex'), null],
]);

const verifyInPool = promisify(verify);

export interface Signed {
  /** What was signed. */
  readonly content: Buffer;
  readonly digest: string | null;
  readonly signature: Buffer;
}

/** @throws DerError also for an algorithm that is not taken. */
export function readSigned(
  content: Element | undefined,
  algorithm: Element | undefined,
  signature: Element | undefined,
): Signed {
  if (content === undefined) throw new DerError('cut short');
  const type = children(expect(algorithm, TAG.sequence))[0];
  const digest = DIGESTS.get(type?.whole.toString('hex') ?? '');
  if (digest === undefined) throw new DerError('an algorithm of signatures that is not taken');
  const bits = expect(signature, TAG.bitString);
  if (bits[0] !== 0) throw new DerError('signature');
  return { content: content.whole, digest, signature: bits.subarray(1) };
}

/** In a thread of the pool: a list may be long. False also for a key of another kind. */
export async function isSignedBy({ content, digest, signature }: Signed, key: KeyObject): Promise<boolean> {
  try {
    return await verifyInPool(digest, content, key, signature);
  } catch {
    return false;
  }
}
