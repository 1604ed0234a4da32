/**
 * Lists of revoked certificates (RFC 5280 §5): complete ones that the issuer of the certificates has signed itself. Those by
 * others (indirect), of some reasons, and of changes (delta) are refused, and so is whatever is critical and not understood.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { Link } from './chain.ts';
import { KEY_USAGE, mayBeUsedFor } from './certificate-parts.ts';
import * as der from './der.ts';
import { children, DerError, type Element, expect, readElement, readTime, TAG } from './der-read.ts';
import { isSignedBy, readSigned } from './signed.ts';

export interface RevocationList {
  /** Serial numbers, as `serialOf` writes them. */
  readonly revoked: ReadonlySet<string>;
  /** Milliseconds since 1970. */
  readonly until: number;
  /** What it is about; null: all. */
  readonly only: 'holders' | 'authorities' | null;
}

const ISSUING_POINT = der.oid('2.5.29.28').toString('hex');
/** Of a list: number, and the key of its authority. Of an entry: reason, date. All are no matter here. */
const KNOWN: ReadonlySet<string> = new Set(
  ['2.5.29.20', '2.5.29.35', '2.5.29.21', '2.5.29.24'].map((type) => der.oid(type).toString('hex')),
);
const BOOLEAN = 0x01;
const EXTENSIONS = 0xa0;
/** By how much clocks may differ. */
const CLOCK_MS = 300_000;
/** Entries that are read in one go: a millisecond or two. */
const SLICE = 2000;
const PEM = /-----BEGIN X509 CRL-----([A-Za-z0-9+/=\s]+)-----END X509 CRL-----/;

export function serialOf(integer: Buffer): string {
  return integer.toString('latin1');
}

/** @param issuer of the certificates, and of the list. @returns or a sentence why it is none that helps. */
export async function readRevocationList(
  bytes: Buffer,
  issuer: Link,
  issuerName: Buffer,
  now: number,
): Promise<RevocationList | string> {
  try {
    const parts = children(expect(readElement(derOf(bytes)), TAG.sequence));
    const signed = readSigned(parts[0], parts[1], parts[2]);
    const fields = children(expect(parts[0], TAG.sequence));
    if (fields[0]?.tag === TAG.integer) fields.shift();
    const [, name, from, next, ...rest] = fields;
    if (name?.whole.equals(issuerName) !== true) return 'the list is of another issuer';
    if (!mayBeUsedFor(issuer.parts, [KEY_USAGE.cRLSign])) return 'the issuer may not sign lists';
    if (next?.tag !== TAG.utcTime && next?.tag !== TAG.generalizedTime)
      return 'the list does not say until when it holds';
    const until = readTime(next);
    if (readTime(from) > now + CLOCK_MS || until <= now) return 'the list is not of today';
    const only = scopeOf(rest.find(({ tag }) => tag === EXTENSIONS));
    if (!(await isSignedBy(signed, issuer.certificate.publicKey))) return 'the signature is not good';
    return { revoked: await entriesOf(rest.find(({ tag }) => tag === TAG.sequence)), until, only };
  } catch (error) {
    if (error instanceof DerError) return `the list cannot be read: ${error.message}`;
    throw error;
  }
}

/** RFC 5280 §4.2.1.13 wants DER; some write it as PEM. */
function derOf(bytes: Buffer): Buffer {
  if (bytes[0] === TAG.sequence) return bytes;
  const [, base64] = PEM.exec(bytes.toString('latin1')) ?? [];
  return base64 === undefined ? bytes : Buffer.from(base64, 'base64');
}

/** There may be a hundred thousand: nothing is made of an entry but its number, and requests come between. */
async function entriesOf(list: Element | undefined): Promise<Set<string>> {
  const revoked = new Set<string>();
  if (list === undefined) return revoked;
  const { content } = list;
  for (let at = 0, read = 1; at < content.length; read++) {
    if (read % SLICE === 0) await turn();
    const entry = readElement(content, at);
    at += entry.whole.length;
    const serial = readElement(expect(entry, TAG.sequence));
    revoked.add(serialOf(expect(serial, TAG.integer)));
    const time = readElement(entry.content, serial.whole.length);
    const end = serial.whole.length + time.whole.length;
    if (end < entry.content.length) {
      checkCritical(children(expect(readElement(entry.content, end), TAG.sequence)));
    }
  }
  return revoked;
}

function checkCritical(extensions: readonly Element[]): void {
  for (const one of extensions) {
    const [type, critical] = children(expect(one, TAG.sequence));
    const matters = critical?.tag === BOOLEAN && critical.content[0] !== 0;
    if (matters && !KNOWN.has(type?.whole.toString('hex') ?? '')) {
      throw new DerError('a critical extension that is not understood');
    }
  }
}

function scopeOf(wrapped: Element | undefined): RevocationList['only'] {
  if (wrapped === undefined) return null;
  const extensions = children(expect(readElement(wrapped.content), TAG.sequence));
  const isPoint = (one: Element): boolean =>
    children(one.content)[0]?.whole.toString('hex') === ISSUING_POINT;
  checkCritical(extensions.filter((one) => !isPoint(one)));
  const point = extensions.find(isPoint);
  if (point === undefined) return null;
  const value = expect(children(point.content).at(-1), TAG.octetString);
  let only: RevocationList['only'] = null;
  for (const { tag, content } of children(expect(readElement(value), TAG.sequence))) {
    // §5.2.5: [0] where it is, [1] only holders, [2] only authorities; [3] some reasons, [4] indirect, [5] attributes.
    if (tag === 0xa0 || content[0] === 0) continue;
    if (tag === 0x81) only = 'holders';
    else if (tag === 0x82) only = 'authorities';
    else throw new DerError('it is not about all certificates of its issuer');
  }
  return only;
}
