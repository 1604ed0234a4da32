/**
 * Texts of entities that may stand in a vault (`{vault://…}`), such as certificates and keys: TLS on both legs asks here.
 *
 * The vaults are those of the snapshot that the entity belongs to, so that a changed vault is live with the snapshot. An
 * answer is kept as long as its vault says (`ttl`, a minute unless said): whoever keeps what comes of it asks again.
 */
import type { Environment } from '../lib/vault/env-vault.ts';
import { isVaultReference } from '../lib/vault/reference.ts';
import { VaultResolver } from '../lib/vault/resolver.ts';
import type { ConfiguredVault } from '../lib/vault/resolver.ts';
import type { Trust } from './trust.ts';

export interface SecretTextOptions {
  readonly env: Environment;
  /** The setting `vault_env_prefix`. */
  readonly envPrefix: string | null;
  /** The setting `vault_file_base`. */
  readonly fileBase: string | null;
}

export class SecretTexts {
  readonly #options: SecretTextOptions;
  readonly #resolvers = new WeakMap<Trust['vaults'], VaultResolver>();

  constructor(options: SecretTextOptions) {
    this.#options = options;
  }

  /** The text itself, or what its reference leads to. @throws VaultError, which never holds a secret. */
  of(text: string, { vaults }: Trust): string {
    if (!isVaultReference(text)) return text;
    let resolver = this.#resolvers.get(vaults);
    if (resolver === undefined) {
      // The fields of Kong's entity are those that the resolver wants.
      const configured = vaults as unknown as readonly ConfiguredVault[];
      this.#resolvers.set(vaults, (resolver = new VaultResolver({ ...this.#options, vaults: configured })));
    }
    return resolver.resolve(text);
  }
}
