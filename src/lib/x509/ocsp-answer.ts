/**
 * OCSP responses (RFC 6960) as who relies on them reads them: signed by the issuer of the certificate, or by whom that issuer
 * has given a certificate for just this.
 */
import { createHash, X509Certificate } from 'node:crypto';
import { BROKEN, type Link } from './chain.ts';
import { OID, purposes, readCertificate } from './certificate-parts.ts';
import { children, DerError, type Element, expect, readElement, readTime, TAG } from './der-read.ts';
import { isSignedBy, readSigned, type Signed } from './signed.ts';
import type { Parts } from './tbs.ts';

export interface OcspAnswer {
  readonly status: 'good' | 'revoked' | 'unknown';
  /** Milliseconds since 1970; null: the responder does not say, and is to be asked again. */
  readonly until: number | null;
}

/** By how much clocks may differ; and how old an answer may be that does not say until when it holds. */
const CLOCK_MS = 300_000;
/** Certificates of an answer that are looked at. */
const MOST_CERTIFICATES = 4;
const STATUS: Readonly<Record<number, OcspAnswer['status']>> = {
  0x80: 'good',
  0xa1: 'revoked',
  0x82: 'unknown',
};
const CERTIFICATES = 0xa0;

/** A certificate, by what an answer names it. */
export interface Asked {
  readonly serial: Buffer;
  readonly issuer: Link;
  readonly issuerParts: Parts;
}

/** @returns or a sentence why it is none that helps. */
export async function readOcspAnswer(
  response: Buffer,
  asked: Asked,
  now: number,
): Promise<OcspAnswer | string> {
  try {
    const [status, body] = children(expect(readElement(response), TAG.sequence));
    const code = expect(status, TAG.enumerated)[0];
    if (code !== 0) return `the responder answered ${code}`;
    const [, octets] = children(expect(children(expect(body, 0xa0))[0], TAG.sequence));
    const parts = children(expect(readElement(expect(octets, TAG.octetString)), TAG.sequence));
    const signed = readSigned(parts[0], parts[1], parts[2]);
    const answer = singleOf(parts[0], asked, now);
    if (typeof answer === 'string') return answer;
    const own = await isSignedBy(signed, asked.issuer.certificate.publicKey);
    if (own || (await isSignedByDelegate(signed, parts[3], asked.issuer, now))) return answer;
    return 'the response is not signed by who may';
  } catch (error) {
    if (error instanceof DerError) return `the response cannot be read: ${error.message}`;
    throw error;
  }
}

function singleOf(data: Element | undefined, asked: Asked, now: number): OcspAnswer | string {
  const fields = children(expect(data, TAG.sequence));
  const list = fields.find(
    ({ tag }, at) => tag === TAG.sequence && fields[at - 1]?.tag === TAG.generalizedTime,
  );
  for (const single of children(expect(list, TAG.sequence))) {
    const [id, state, from, ...rest] = children(expect(single, TAG.sequence));
    if (!isAbout(id, asked)) continue;
    const status = STATUS[state?.tag ?? 0];
    if (status === undefined) throw new DerError('state');
    const next = rest.find(({ tag }) => tag === 0xa0);
    const until = next === undefined ? null : readTime(children(next.content)[0]);
    const since = readTime(from);
    const late = until === null ? since + CLOCK_MS <= now : until <= now;
    if (since > now + CLOCK_MS || late) return 'the response is not of today';
    return { status, until };
  }
  return 'the response is about another certificate';
}

/** We ask with SHA-1, which is what responders know; here it only names the issuer, who signs. */
function isAbout(id: Element | undefined, { serial, issuerParts }: Asked): boolean {
  const [, name, key, number] = children(expect(id, TAG.sequence));
  const hash = (bytes: Buffer): Buffer => createHash('sha1').update(bytes).digest();
  return (
    expect(number, TAG.integer).equals(serial) &&
    expect(name, TAG.octetString).equals(hash(issuerParts.subject)) &&
    expect(key, TAG.octetString).equals(hash(issuerParts.key))
  );
}

/** RFC 6960 §4.2.2.2. */
async function isSignedByDelegate(
  signed: Signed,
  wrapped: Element | undefined,
  issuer: Link,
  now: number,
): Promise<boolean> {
  if (wrapped?.tag !== CERTIFICATES) return false;
  const list = children(expect(readElement(wrapped.content), TAG.sequence)).slice(0, MOST_CERTIFICATES);
  for (const { whole } of list) {
    const delegate = certificateOf(whole);
    if (delegate === null || !isDelegate(delegate, issuer, now)) continue;
    if (await isSignedBy(signed, delegate.publicKey)) return true;
  }
  return false;
}

function isDelegate(delegate: X509Certificate, issuer: Link, now: number): boolean {
  if (delegate.validFromDate.getTime() > now || delegate.validToDate.getTime() < now) return false;
  if (BROKEN.test(delegate.signatureAlgorithm ?? '')) return false;
  if (!purposes(readCertificate(delegate.raw)).includes(OID.ocspSigning)) return false;
  return delegate.checkIssued(issuer.certificate) && delegate.verify(issuer.certificate.publicKey);
}

function certificateOf(bytes: Buffer): X509Certificate | null {
  try {
    return new X509Certificate(bytes);
  } catch {
    return null;
  }
}
