/**
 * What came of asking a client for its certificate, in nginx's terms. OpenSSL completes the handshake whatever it thinks
 * of the certificate; the verdict is applied to requests, so that a client reads why it is refused.
 */
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls';
import type { ClientVerify } from './server-material.ts';

/** nginx's two pages. */
export type CertificateRefusal = 'no_certificate' | 'bad_certificate';

export interface ClientVerdict {
  /** nginx's `$ssl_client_verify`. */
  readonly verify: string;
  /** Null: requests are served. */
  readonly refusal: CertificateRefusal | null;
}

/** OpenSSL's words for its codes (those that clients cause; the rest is told by its code). */
const REASONS: Readonly<Record<string, string>> = {
  UNABLE_TO_GET_ISSUER_CERT: 'unable to get issuer certificate',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'unable to get local issuer certificate',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'unable to verify the first certificate',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'self-signed certificate',
  SELF_SIGNED_CERT_IN_CHAIN: 'self-signed certificate in certificate chain',
  CERT_HAS_EXPIRED: 'certificate has expired',
  CERT_NOT_YET_VALID: 'certificate is not yet valid',
  CERT_REVOKED: 'certificate revoked',
  CERT_SIGNATURE_FAILURE: 'certificate signature failure',
  CERT_CHAIN_TOO_LONG: 'certificate chain too long',
  INVALID_CA: 'invalid CA certificate',
  INVALID_PURPOSE: 'unsuitable certificate purpose',
  UNABLE_TO_GET_CRL: 'unable to get certificate CRL',
  CRL_HAS_EXPIRED: 'CRL has expired',
};

/** What `optional_no_ca` leaves to others (nginx's `ngx_ssl_verify_error_optional`). */
const UNKNOWN_AUTHORITY: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

const NOBODY_ASKED: ClientVerdict = { verify: 'NONE', refusal: null };

export function judgeClient(socket: TLSSocket, asked: ClientVerify | null): ClientVerdict {
  if (asked === null) return NOBODY_ASKED;
  if (socket.getPeerX509Certificate() === undefined) {
    return asked.mode === 'on' ? { verify: 'NONE', refusal: 'no_certificate' } : NOBODY_ASKED;
  }
  const code = problemOf(socket, asked);
  if (code === null) return { verify: 'SUCCESS', refusal: null };
  const excused =
    asked.mode === 'plugins' || (asked.mode === 'optional_no_ca' && UNKNOWN_AUTHORITY.has(code));
  const reason = REASONS[code] ?? code.toLowerCase().replaceAll('_', ' ');
  return { verify: `FAILED:${reason}`, refusal: excused ? null : 'bad_certificate' };
}

function problemOf(socket: TLSSocket, { depth }: ClientVerify): string | null {
  const error = socket.authorizationError as unknown;
  if (typeof error === 'string') return error;
  // The leaf and the authority that signed itself do not count (X509_VERIFY_PARAM_set_depth).
  return chainOf(socket).length - 2 > depth ? 'CERT_CHAIN_TOO_LONG' : null;
}

/** No chain that OpenSSL verifies is longer. */
const MAX_CHAIN = 102;

/** Certificates in DER from the client's up, as far as they are known; empty when there is none. */
export function chainOf(socket: TLSSocket): readonly Buffer[] {
  const chain: Buffer[] = [];
  let certificate: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  // An empty object when there is none, whatever the types say.
  while ((certificate as Partial<DetailedPeerCertificate> | undefined)?.raw !== undefined) {
    const { raw, issuerCertificate }: Partial<DetailedPeerCertificate> = certificate ?? {};
    if (raw === undefined || chain.length === MAX_CHAIN) break;
    chain.push(raw);
    if (issuerCertificate === certificate) break;
    certificate = issuerCertificate;
  }
  return chain;
}
