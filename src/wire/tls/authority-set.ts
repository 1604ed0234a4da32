/**
 * Certificates that are trusted as authorities, and how long the chain from a peer's certificate to one of them is.
 *
 * OpenSSL verifies the chain; node offers no way to say how deep it may be (`SSL_CTX_set_verify_depth`), so the length
 * is worked out here, along the way that OpenSSL takes: at each step a trusted issuer before one that the peer sent.
 */
import { X509Certificate, createHash } from 'node:crypto';

export class AuthoritySet {
  /** Digest of the content. */
  readonly id: string;
  /** PEM texts, each with one certificate or several. */
  readonly pems: readonly string[];
  /** OpenSSL has read it once for this thread (`shareAuthorities`). */
  shared = false;
  /** By subject; made when a chain is first measured. */
  #bySubject: ReadonlyMap<string, readonly X509Certificate[]> | null = null;

  constructor(pems: readonly string[]) {
    // An operating system may name each several times.
    this.pems = [...new Set(pems)];
    const hash = createHash('sha256');
    for (const pem of this.pems.toSorted()) hash.update(pem).update('\0');
    this.id = hash.digest('base64');
  }

  /**
   * @param leaf verified by OpenSSL against this set, with what the peer sent behind it (`issuerCertificate`).
   * @param most counting stops beyond this.
   * @returns how many certificates lie between the leaf and the authority that is trusted: 0 for one that an authority
   * has signed itself (or that is trusted itself).
   */
  depthOf(leaf: X509Certificate, most: number): number {
    const sent = sentBehind(leaf);
    let current = leaf;
    for (let between = 0; ; between++) {
      if (selfIssued(current)) return Math.max(0, between - 1);
      const issuer = this.#issuer(current) ?? sent.find((one) => current.checkIssued(one));
      // OpenSSL has found a way to an authority: what is not found here is longer than what may be.
      if (issuer === undefined || between > most + 1) return between;
      current = issuer;
    }
  }

  #issuer(certificate: X509Certificate): X509Certificate | undefined {
    this.#bySubject ??= indexed(this.pems);
    return this.#bySubject.get(certificate.issuer)?.find((one) => certificate.checkIssued(one));
  }
}

/**
 * Makes the set the one that OpenSSL takes where no other is named, in this thread: contexts that trust it then cost next
 * to nothing. Those of an operating system take some 10 ms to read, and each service with terms of its own has a context.
 */
export function shareAuthorities(set: AuthoritySet): void {
  process.getBuiltinModule('node:tls').setDefaultCACertificates(set.pems);
  set.shared = true;
}

function selfIssued(certificate: X509Certificate): boolean {
  return certificate.subject === certificate.issuer && certificate.checkIssued(certificate);
}

/** A peer may send a list of any length; nobody needs more of it. */
const MAX_SENT = 100;

function sentBehind(leaf: X509Certificate): X509Certificate[] {
  const sent: X509Certificate[] = [];
  for (let next = leaf.issuerCertificate; next !== undefined && sent.length < MAX_SENT;) {
    sent.push(next);
    next = next.issuerCertificate;
  }
  return sent;
}

const ONE =
  /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[\s\S]*?-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g;

function indexed(pems: readonly string[]): Map<string, X509Certificate[]> {
  const index = new Map<string, X509Certificate[]>();
  for (const text of pems.flatMap((pem) => pem.match(ONE) ?? [])) {
    const certificate = new X509Certificate(text);
    const same = index.get(certificate.subject);
    if (same === undefined) index.set(certificate.subject, [certificate]);
    else same.push(certificate);
  }
  return index;
}
