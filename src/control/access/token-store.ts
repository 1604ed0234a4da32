/**
 * Who may use the Admin API: grants, each to the bearer of a token or of a client certificate. Where they are kept is
 * behind `TokenStore`: a file of the prefix, or the configuration's store.
 */

export const ROLES = ['read', 'write', 'admin'] as const;
export type Role = (typeof ROLES)[number];

export interface Grant {
  /** Unique; it is the author of commits. */
  readonly name: string;
  readonly role: Role;
  /** Role write: the only kinds (`services`) that may be written; null: all. */
  readonly kinds: readonly string[] | null;
  /** Role write: only entities with one of these tags may be written; null: all. */
  readonly tags: readonly string[] | null;
  /** Milliseconds since 1970. */
  readonly created: number;
  /** Null: never. */
  readonly expires: number | null;
  readonly proof: Proof;
}

/** What its bearer shows: a token with this SHA-256 (hexadecimal), or a certificate with this name. */
export type Proof =
  | { readonly type: 'token'; readonly sha256: string }
  | { readonly type: 'certificate'; readonly subject: string };

export interface TokenStore {
  /** The grant of the token with this SHA-256, whether it has expired or not. @throws GrantsUnreadable */
  findToken(sha256: Uint8Array): Promise<Grant | null>;
  /** The first grant of one of these names of a certificate. @throws GrantsUnreadable */
  findCertificate(subjects: readonly string[]): Promise<Grant | null>;
  /** In the order of their making. @throws GrantsUnreadable */
  list(): Promise<readonly Grant[]>;
  /** False: the name is taken. @throws GrantsUnreadable */
  create(grant: Grant): Promise<boolean>;
  /** False: there was none. @throws GrantsUnreadable */
  revoke(name: string): Promise<boolean>;
}

/** Nobody can be let in: it says what to do about it. */
export class GrantsUnreadable extends Error {}

export const GRANT_NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;

/** The names by which a grant may know a certificate. */
export const CERTIFICATE_SUBJECT = /^(?:CN|DNS|URI|email):[^\s,"]{1,255}$/;
