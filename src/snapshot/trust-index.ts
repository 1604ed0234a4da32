/** Certificates, server names, authorities and vaults as the builder knows them, and the `Trust` that comes of them. */
import type { CaCertificate } from '../entities/ca-certificate.ts';
import type { Certificate } from '../entities/certificate.ts';
import type { Sni } from '../entities/sni.ts';
import type { Vault } from '../entities/vault.ts';
import { Trust } from './trust.ts';

export class TrustIndex {
  readonly #certificates = new Map<string, Certificate>();
  readonly #authorities = new Map<string, CaCertificate>();
  readonly #snis = new Map<string, Sni>();
  readonly #vaults = new Map<string, Vault>();
  #touched = false;
  /** In the order of their coming; the same array until one changes, so that what was read of them is kept. */
  #vaultList: readonly Vault[] = [];

  putCertificate(certificate: Certificate): void {
    this.#certificates.set(certificate.id, certificate);
    this.#touched = true;
  }

  putAuthority(authority: CaCertificate): void {
    this.#authorities.set(authority.id, authority);
    this.#touched = true;
  }

  putSni(sni: Sni): void {
    this.#snis.set(sni.id, sni);
    this.#touched = true;
  }

  putVault(vault: Vault): void {
    this.#vaults.set(vault.id, vault);
    this.#touched = true;
  }

  remove(id: string): void {
    const gone = [this.#certificates, this.#authorities, this.#snis, this.#vaults].some((map) =>
      map.delete(id),
    );
    if (gone) this.#touched = true;
  }

  /** What is served with all that was put and removed since the last call; `served` itself when that was nothing. */
  *commitInSteps(served: Trust): Generator<void, Trust> {
    if (!this.#touched) return served;
    this.#touched = false;
    const names = new Map<string, string>();
    for (const sni of this.#snis.values()) {
      names.set(sni.name.toLowerCase(), sni.certificate.id);
      yield;
    }
    const vaults = [...this.#vaults.values()];
    if (vaults.length !== this.#vaultList.length || vaults.some((one, at) => one !== this.#vaultList[at])) {
      this.#vaultList = vaults;
    }
    return new Trust(new Map(this.#certificates), new Map(this.#authorities), names, this.#vaultList);
  }
}
