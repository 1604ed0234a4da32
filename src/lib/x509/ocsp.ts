/**
 * OCSP (RFC 6960) as a server needs it to staple: where to ask for a certificate, with what, and whether the answer may
 * be passed on. Whether its signature is good is for clients to judge, who must in any case.
 */
import { X509Certificate, createHash } from 'node:crypto';
import * as der from './der.ts';
import { DerError, TAG, children, expect, readElement, readTime } from './der-read.ts';
import { ocspUrls, partsOf } from './tbs.ts';

export interface StapleSource {
  /** Of the responder; always `http:`. */
  readonly url: string;
  /** DER. */
  readonly request: Buffer;
  readonly serial: Buffer;
  /** The certificate demands a staple (RFC 7633). */
  readonly demanded: boolean;
}

const OID = {
  tlsFeature: der.oid('1.3.6.1.5.5.7.1.24'),
  sha1: der.oid('1.3.14.3.2.26'),
} as const;

const NULL = Buffer.from([5, 0]);
/** status_request, as a feature of TLS. */
const STATUS_REQUEST = 5;
const CERTIFICATES = /-----BEGIN (?:TRUSTED )?CERTIFICATE-----[^-]+-----END (?:TRUSTED )?CERTIFICATE-----/g;

/** @param pem a certificate and those above it. @returns null: it names no responder; or a sentence why none can be asked. */
export function stapleSource(pem: string): StapleSource | string | null {
  try {
    const [leaf, issuer] = (pem.match(CERTIFICATES) ?? []).map((one) => new X509Certificate(one).raw);
    if (leaf === undefined) return null;
    const own = partsOf(leaf);
    const url = ocspUrls(own).find((one) => one.startsWith('http:')) ?? null;
    const demanded = demands(own.extensions.get(OID.tlsFeature.toString('hex')));
    if (url === null) return demanded ? 'it demands OCSP and names no responder' : null;
    if (issuer === undefined) return 'the certificate of its issuer does not follow it';
    const above = partsOf(issuer);
    if (!above.subject.equals(own.issuer)) return 'what follows it is not the certificate of its issuer';
    return { url, request: requestFor(own.serial, own.issuer, above.key), serial: own.serial, demanded };
  } catch (error) {
    if (error instanceof DerError) return `it cannot be read: ${error.message}`;
    throw error;
  }
}

/** @returns until when (milliseconds) it may be sent, or a sentence why not. */
export function judgeStaple(response: Buffer, serial: Buffer, now: number): number | string {
  try {
    const [status, body] = children(expect(readElement(response), TAG.sequence));
    const code = expect(status, TAG.enumerated)[0];
    if (code !== 0) return `the responder answered ${code}`;
    const [, octets] = children(expect(children(expect(body, 0xa0))[0], TAG.sequence));
    const basic = children(expect(readElement(expect(octets, TAG.octetString)), TAG.sequence));
    const data = children(expect(basic[0], TAG.sequence));
    const list = data.find(
      ({ tag }, at) => tag === TAG.sequence && data[at - 1]?.tag === TAG.generalizedTime,
    );
    for (const single of children(expect(list, TAG.sequence))) {
      const [id, state, from, ...rest] = children(expect(single, TAG.sequence));
      const own = children(expect(id, TAG.sequence))[3];
      if (!expect(own, TAG.integer).equals(serial)) continue;
      if (state?.tag !== 0x80)
        return state?.tag === 0xa1 ? 'the certificate is revoked' : 'the state is unknown';
      const next = rest.find(({ tag }) => tag === 0xa0);
      if (next === undefined) return 'the response does not say until when it holds';
      const until = readTime(children(next.content)[0]);
      if (readTime(from) > now + CLOCK_MS || until <= now) return 'the response is not of today';
      return until;
    }
    return 'the response is about another certificate';
  } catch (error) {
    if (error instanceof DerError) return `the response cannot be read: ${error.message}`;
    throw error;
  }
}

/** By how much clocks may differ. */
const CLOCK_MS = 300_000;

function demands(feature: Buffer | undefined): boolean {
  if (feature === undefined) return false;
  return children(expect(readElement(feature), TAG.sequence)).some(
    ({ content }) => content.length === 1 && content[0] === STATUS_REQUEST,
  );
}

/** DER of a request for one certificate, by SHA-1 of its issuer's name and key. */
export function requestFor(serial: Buffer, issuerName: Buffer, issuerKey: Buffer): Buffer {
  const hash = (bytes: Buffer): Buffer => der.octetString(createHash('sha1').update(bytes).digest());
  const id = der.sequence(
    der.sequence(OID.sha1, NULL),
    hash(issuerName),
    hash(issuerKey),
    Buffer.concat([Buffer.from([TAG.integer, serial.length]), serial]),
  );
  return der.sequence(der.sequence(der.sequence(der.sequence(id))));
}
