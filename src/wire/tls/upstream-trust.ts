/**
 * All that a TLS connection to an upstream depends on but its address and name: whom it trusts, who it says it is,
 * which protocols it speaks.
 *
 * `UpstreamTrusts.of` makes one object for each content, so that whoever keeps something for a trust (idle connections,
 * sessions to resume) keeps it for exactly that: a certificate with other bytes, another authority, another depth is
 * another trust, and nothing made with the old one is ever used for it. Contexts of OpenSSL are made when a connection
 * first asks. Trusts and sessions are bounded, the ones used last stay.
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:crypto';
import type { SecureContext } from 'node:tls';
import type { AuthoritySet } from './authority-set.ts';

export type TlsVersion = 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';

export interface ClientPair {
  /** PEM; the chain may follow the certificate. */
  readonly cert: string;
  readonly key: string;
}

export interface TrustSpec {
  /** Null: the upstream's certificate is not looked at. */
  readonly authorities: AuthoritySet | null;
  /** Certificates between the upstream's own and the authority that is trusted, at most. */
  readonly depth: number;
  readonly client: ClientPair | null;
  readonly minVersion: TlsVersion;
  readonly maxVersion: TlsVersion;
  /** OpenSSL's notation. */
  readonly ciphers: string;
  /** Sessions of earlier connections are resumed. */
  readonly resumes: boolean;
}

/** Trusts of one worker. More than there are services with terms of their own; each may hold a context. */
const MAX_TRUSTS = 4096;
/** Sessions of one worker; each has 1 to 3 KiB. */
const MAX_SESSIONS = 2048;

export class UpstreamTrust {
  readonly spec: TrustSpec;
  /** Digest of the content: for keys of what is kept beside connections. */
  readonly id: string;
  readonly #sessions: Sessions;
  #context: SecureContext | null = null;

  constructor(spec: TrustSpec, id: string, sessions: Sessions) {
    this.spec = spec;
    this.id = id;
    this.#sessions = sessions;
  }

  /** @throws Error of OpenSSL when certificate, key or ciphers cannot be used. */
  get context(): SecureContext {
    const { authorities, client, minVersion, maxVersion, ciphers } = this.spec;
    this.#context ??= process.getBuiltinModule('node:tls').createSecureContext({
      minVersion,
      maxVersion,
      ciphers,
      // Without verification nobody is trusted, and nothing read.
      ...(authorities?.shared === true ? {} : { ca: [...(authorities?.pems ?? [])] }),
      ...(client === null ? {} : { cert: client.cert, key: client.key }),
      // What was agreed in the handshake stays: an upstream that asks for another one is refused.
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    });
    return this.#context;
  }

  /** The session to resume with this peer, if there is one. */
  session(peer: string): Buffer | undefined {
    if (!this.spec.resumes) return undefined;
    return this.#sessions.take(`${this.id} ${peer}`);
  }

  /** Only of a handshake whose peer was verified as this trust wants. */
  keepSession(peer: string, session: Buffer): void {
    if (this.spec.resumes) this.#sessions.keep(`${this.id} ${peer}`, session);
  }
}

class Sessions {
  readonly #kept = new Map<string, Buffer>();

  take(key: string): Buffer | undefined {
    return this.#kept.get(key);
  }

  keep(key: string, session: Buffer): void {
    this.#kept.delete(key);
    this.#kept.set(key, session);
    dropOldest(this.#kept, MAX_SESSIONS);
  }
}

/** All trusts of one worker. */
export class UpstreamTrusts {
  readonly #byId = new Map<string, UpstreamTrust>();
  readonly #sessions = new Sessions();

  of(spec: TrustSpec): UpstreamTrust {
    const id = digest(spec);
    const trust = this.#byId.get(id) ?? new UpstreamTrust(spec, id, this.#sessions);
    this.#byId.delete(id);
    this.#byId.set(id, trust);
    dropOldest(this.#byId, MAX_TRUSTS);
    return trust;
  }
}

function digest({ authorities, depth, client, minVersion, maxVersion, ciphers, resumes }: TrustSpec): string {
  const verify = authorities === null ? null : [authorities.id, depth];
  const own = client === null ? null : [client.cert, client.key];
  const content = JSON.stringify([verify, own, minVersion, maxVersion, ciphers, resumes]);
  return createHash('sha256').update(content).digest('base64');
}

function dropOldest(map: Map<string, unknown>, most: number): void {
  if (map.size <= most) return;
  const [oldest] = map.keys();
  if (oldest !== undefined) map.delete(oldest);
}
