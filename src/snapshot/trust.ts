/**
 * Certificates, server names, authorities and vaults of a snapshot: what TLS on both legs is made of.
 *
 * Entities as they are; whoever needs an OpenSSL context makes it when a connection first asks, and keeps it beside the
 * entity (a WeakMap): a configuration with 100,000 certificates must not cost 100,000 contexts in each worker. An
 * unchanged entity stays the same object from snapshot to snapshot.
 */
import type { CaCertificate } from '../entities/ca-certificate.ts';
import type { Certificate } from '../entities/certificate.ts';
import type { Key } from '../entities/key.ts';
import type { Vault } from '../entities/vault.ts';

export class Trust {
  /** By id. */
  readonly certificates: ReadonlyMap<string, Certificate>;
  /** By id. */
  readonly authorities: ReadonlyMap<string, CaCertificate>;
  /** Of each server name (or wildcard, `*` alone too) the id of its certificate. */
  readonly serverNames: ReadonlyMap<string, string>;
  /** Keys of each key set that has a name, by that name. */
  readonly keySets: ReadonlyMap<string, readonly Key[]>;
  /** Where references in certificates lead (secret-texts.ts). */
  readonly vaults: readonly Vault[];

  constructor(
    certificates: ReadonlyMap<string, Certificate>,
    authorities: ReadonlyMap<string, CaCertificate>,
    serverNames: ReadonlyMap<string, string>,
    vaults: readonly Vault[] = [],
    keySets: ReadonlyMap<string, readonly Key[]> = new Map(),
  ) {
    this.certificates = certificates;
    this.authorities = authorities;
    this.serverNames = serverNames;
    this.vaults = vaults;
    this.keySets = keySets;
  }

  /**
   * The certificate of a server name, in Kong's order: the name itself, `*.rest` (a rest of two labels or more),
   * `first.*`, `*`. As in Kong, `*` is not for who names nothing.
   * @param serverName lower case; '' for a client that named none.
   * @returns null: the default of the listener.
   */
  certificateFor(serverName: string): Certificate | null {
    const id = this.#idFor(serverName);
    return id === undefined ? null : (this.certificates.get(id) ?? null);
  }

  #idFor(serverName: string): string | undefined {
    const names = this.serverNames;
    if (names.size === 0 || serverName === '') return undefined;
    const dot = serverName.indexOf('.');
    const last = serverName.lastIndexOf('.');
    return (
      names.get(serverName) ??
      (dot === last ? undefined : names.get(`*${serverName.slice(dot)}`)) ??
      (last < 0 ? undefined : names.get(`${serverName.slice(0, last)}.*`)) ??
      names.get('*')
    );
  }
}

export const NO_TRUST = new Trust(new Map(), new Map(), new Map());
