/**
 * Is there a way from a client's certificate to an authority that is trusted (RFC 5280 §6, as far as clients' certificates
 * need it)? OpenSSL's verification belongs to its handshakes; this is for certificates that were shown without an authority
 * at hand (`optional_no_ca`), or in a header.
 *
 * Every step of a way is held against: who signed it and with what, its time, that the signer may sign (`CA`, key usage,
 * path length), and that it says nothing critical that is not understood here. Names constraints are not: an authority that
 * has them is refused. The search is bounded in length and in signatures, whatever a client sends.
 */
import { X509Certificate } from 'node:crypto';
import {
  type CertificateParts,
  hasPurpose,
  KEY_USAGE,
  mayBeUsedFor,
  OID,
  pathLength,
  readCertificate,
} from './certificate-parts.ts';

/** A certificate with what was read of it. */
export interface Link {
  readonly certificate: X509Certificate;
  readonly parts: CertificateParts;
}

export interface ChainOptions {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** A trusted authority that is not its own issuer may end the way (OpenSSL's `X509_V_FLAG_PARTIAL_CHAIN`). */
  readonly allowPartial: boolean;
}

export type ChainResult =
  /** `until`: when the first certificate of the way ends, in milliseconds since 1970. */
  | { readonly ok: true; readonly way: readonly [Link, ...Link[]]; readonly until: number }
  | { readonly ok: false; readonly reason: string };

/** Certificates of one way, OpenSSL's default is 100. */
const MAX_LENGTH = 10;
/** Certificates that are looked at of what a client sends. */
const MAX_SENT = 10;
/** Signatures that one search verifies. */
const MAX_SIGNATURES = 30;
/** OpenSSL's security level 1: 80 bits. */
const MIN_RSA_BITS = 1024;

const UNDERSTOOD: ReadonlySet<string> = new Set([
  OID.keyUsage,
  OID.subjectAltName,
  OID.basicConstraints,
  OID.extKeyUsage,
  OID.certificatePolicies,
]);
/** Signatures that can be forged, by OpenSSL's names. */
export const BROKEN = /md[245]|sha-?1(?:with|$)|ecdsa-with-sha1/i;

/** @throws Error when it is no certificate. */
export function readLink(source: Buffer | string): Link {
  const certificate = new X509Certificate(source);
  return { certificate, parts: readCertificate(certificate.raw) };
}

/** @param sent leaf first, in DER, as a client sends them. */
export function verifyClientChain(
  sent: readonly Buffer[],
  anchors: readonly Link[],
  options: ChainOptions,
): ChainResult {
  try {
    const [leaf, ...others] = sent.slice(0, MAX_SENT).map(readLink);
    if (leaf === undefined) return { ok: false, reason: 'no certificate' };
    return new Search(others, anchors, options).from(leaf);
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) };
  }
}

class Search {
  readonly #sent: readonly Link[];
  readonly #anchors: readonly Link[];
  readonly #options: ChainOptions;
  #signatures = 0;
  /** The first that stood in a way. */
  #reason = 'unable to get local issuer certificate';
  #found = false;

  constructor(sent: readonly Link[], anchors: readonly Link[], options: ChainOptions) {
    this.#sent = sent;
    this.#anchors = anchors;
    this.#options = options;
  }

  from(leaf: Link): ChainResult {
    const wrong = this.#problem(leaf) ?? leafProblem(leaf);
    if (wrong !== null) return { ok: false, reason: wrong };
    const way = this.#extend([leaf]) as [Link, ...Link[]] | null;
    if (way === null) return { ok: false, reason: this.#reason };
    const until = Math.min(...way.map(({ certificate }) => certificate.validToDate.getTime()));
    return { ok: true, way, until };
  }

  /** The whole way; null: none goes on from here. */
  #extend(way: readonly Link[]): readonly Link[] | null {
    const current = way.at(-1)!;
    for (const anchor of this.#anchors) {
      if (!this.#signs(anchor, current, way)) continue;
      const whole = [...way, anchor];
      if (this.#options.allowPartial || selfIssued(anchor)) return whole;
      const further = this.#extend(whole);
      if (further !== null) return further;
    }
    for (const issuer of this.#sent) {
      if (selfIssued(issuer) || !this.#signs(issuer, current, way)) continue;
      const further = this.#extend([...way, issuer]);
      if (further !== null) return further;
    }
    return null;
  }

  #signs(issuer: Link, subject: Link, way: readonly Link[]): boolean {
    if (!subject.certificate.checkIssued(issuer.certificate)) return false;
    if (way.some(({ certificate }) => certificate.raw.equals(issuer.certificate.raw))) return false;
    const wrong = this.#problem(issuer) ?? authorityProblem(issuer, way);
    if (wrong !== null) return this.#no(wrong);
    if (way.length >= MAX_LENGTH || this.#signatures >= MAX_SIGNATURES)
      return this.#no('certificate chain too long');
    this.#signatures++;
    return (
      subject.certificate.verify(issuer.certificate.publicKey) || this.#no('certificate signature failure')
    );
  }

  #no(reason: string): false {
    if (!this.#found) this.#reason = reason;
    this.#found = true;
    return false;
  }

  /** Of any certificate of the way. */
  #problem({ certificate, parts }: Link): string | null {
    const { now } = this.#options;
    if (certificate.validFromDate.getTime() > now) return 'certificate is not yet valid';
    if (certificate.validToDate.getTime() < now) return 'certificate has expired';
    if (BROKEN.test(certificate.signatureAlgorithm ?? '') && !selfIssued({ certificate, parts })) {
      return 'the signature algorithm is too weak';
    }
    if ((certificate.publicKey.asymmetricKeyDetails?.modulusLength ?? MIN_RSA_BITS) < MIN_RSA_BITS) {
      return 'the key is too small';
    }
    for (const [type, { critical }] of parts.extensions) {
      if (critical && !UNDERSTOOD.has(type)) return 'unhandled critical extension';
    }
    return null;
  }
}

function leafProblem({ parts }: Link): string | null {
  const { digitalSignature, keyAgreement } = KEY_USAGE;
  const usable = mayBeUsedFor(parts, [digitalSignature, keyAgreement]) && hasPurpose(parts, OID.clientAuth);
  return usable ? null : 'unsuitable certificate purpose';
}

/** @param way from the leaf to what the authority would have signed. */
function authorityProblem({ certificate, parts }: Link, way: readonly Link[]): string | null {
  if (!certificate.ca) return 'invalid CA certificate';
  if (!mayBeUsedFor(parts, [KEY_USAGE.keyCertSign]))
    return 'the key of the authority may not sign certificates';
  if (!hasPurpose(parts, OID.clientAuth)) return 'unsuitable certificate purpose';
  if (parts.extensions.has(OID.nameConstraints)) return 'name constraints are not supported';
  const most = pathLength(parts);
  // RFC 5280 §4.2.1.9: authorities between it and the leaf, less those that have issued themselves.
  const between = way.slice(1).filter((link) => !selfIssued(link)).length;
  return most !== null && between > most ? 'path length constraint exceeded' : null;
}

function selfIssued({ certificate }: Link): boolean {
  return certificate.subject === certificate.issuer && certificate.checkIssued(certificate);
}
