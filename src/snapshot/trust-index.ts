/** Certificates, server names, authorities and vaults as the builder knows them, and the `Trust` that comes of them. */
import type { CaCertificate } from '../entities/ca-certificate.ts';
import type { Certificate } from '../entities/certificate.ts';
import type { KeySet } from '../entities/key-set.ts';
import type { Key } from '../entities/key.ts';
import type { Sni } from '../entities/sni.ts';
import type { Vault } from '../entities/vault.ts';
import { Trust } from './trust.ts';

export class TrustIndex {
  readonly #certificates = new Map<string, Certificate>();
  readonly #authorities = new Map<string, CaCertificate>();
  readonly #snis = new Map<string, Sni>();
  readonly #vaults = new Map<string, Vault>();
  readonly #keySets = new Map<string, KeySet>();
  readonly #keys = new Map<string, Key>();
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

  putKeySet(set: KeySet): void {
    this.#keySets.set(set.id, set);
    this.#touched = true;
  }

  putKey(key: Key): void {
    this.#keys.set(key.id, key);
    this.#touched = true;
  }

  putVault(vault: Vault): void {
    this.#vaults.set(vault.id, vault);
    this.#touched = true;
  }

  remove(id: string): void {
    const maps = [this.#certificates, this.#authorities, this.#snis, this.#vaults, this.#keySets, this.#keys];
    const gone = maps.some((map) => map.delete(id));
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
    const certificates = new Map(this.#certificates);
    return new Trust(certificates, new Map(this.#authorities), names, this.#vaultList, this.#namedSets());
  }

  #namedSets(): ReadonlyMap<string, readonly Key[]> {
    const lists = new Map<string, Key[]>();
    for (const key of this.#keys.values()) {
      if (key.set === null) continue;
      const list = lists.get(key.set.id);
      if (list === undefined) lists.set(key.set.id, [key]);
      else list.push(key);
    }
    const named = new Map<string, readonly Key[]>();
    for (const { id, name } of this.#keySets.values())
      if (name !== null) named.set(name, lists.get(id) ?? []);
    return named;
  }
}
