/**
 * Vault references → secrets. One implementation serves settings, entities and `sluice vault get`.
 *
 * Vaults are the kinds `env` and `file`, and configured ones (Kong's entity `vaults`), which are a kind with settings
 * of their own under a prefix. Values are kept for their `ttl`, failures for `neg_ttl`, and a value that cannot be read
 * any more serves on for `resurrect_ttl`: of a reference, else of its vault, else these defaults. The cache is bounded.
 */
import { type Environment, readEnvVault } from './env-vault.ts';
import { readFileVault } from './file-vault.ts';
import { type VaultReference, type VaultTimes, VaultError, parseVaultReference } from './reference.ts';

/** A configured vault; the fields are those of Kong's entity. */
export interface ConfiguredVault {
  readonly prefix: string;
  readonly name: string;
  readonly config: VaultTimes & { readonly prefix?: string | null };
}

export interface VaultOptions {
  readonly env: Environment;
  /** Kong's `vault_env_prefix`. */
  readonly envPrefix?: string | null;
  /** Folder of the vault `file`; without one it is off. */
  readonly fileBase?: string | null;
  readonly vaults?: readonly ConfiguredVault[];
  /** Milliseconds. */
  readonly now?: () => number;
}

interface Cached {
  /** The value that was read last. */
  readonly value: string | null;
  readonly failure: VaultError | null;
  readonly until: number;
  readonly staleUntil: number;
}

/** Seconds. The environment of a process does not change. */
const DEFAULTS = { ttl: 60, neg_ttl: 5, resurrect_ttl: 0 };
const MAX_CACHED = 10_000;

export class VaultResolver {
  readonly #options: VaultOptions;
  readonly #vaults: ReadonlyMap<string, ConfiguredVault>;
  readonly #cache = new Map<string, Cached>();
  readonly #now: () => number;

  constructor(options: VaultOptions) {
    this.#options = options;
    this.#vaults = new Map((options.vaults ?? []).map((vault) => [vault.prefix, vault]));
    this.#now = options.now ?? Date.now;
  }

  /** @throws VaultError */
  resolve(text: string): string {
    const now = this.#now();
    const cached = this.#cache.get(text);
    if (cached !== undefined && now < cached.until) return valueOf(cached);
    const reference = parseVaultReference(text);
    const fresh = this.#read(reference, cached, now);
    this.#cache.delete(text);
    this.#cache.set(text, fresh);
    if (this.#cache.size > MAX_CACHED) this.#cache.delete(this.#cache.keys().next().value ?? '');
    return valueOf(fresh);
  }

  #read(reference: VaultReference, cached: Cached | undefined, now: number): Cached {
    const vault = this.#vaultOf(reference);
    const times = { ...DEFAULTS, ...withoutNulls(vault.config), ...reference.times };
    try {
      const until = now + times.ttl * 1000;
      const value = this.#ask(reference, vault);
      return { value, failure: null, until, staleUntil: until + times.resurrect_ttl * 1000 };
    } catch (error) {
      if (!(error instanceof VaultError)) throw error;
      const until = now + times.neg_ttl * 1000;
      const stale = cached?.value ?? null;
      if (cached !== undefined && stale !== null && now < cached.staleUntil) {
        return { ...cached, until: Math.min(until, cached.staleUntil) };
      }
      return { value: null, failure: error, until, staleUntil: until };
    }
  }

  #vaultOf({ text, vault }: VaultReference): ConfiguredVault {
    if (vault === 'env')
      return { prefix: vault, name: vault, config: { prefix: this.#options.envPrefix ?? null } };
    const configured = this.#vaults.get(vault);
    if (configured !== undefined) return configured;
    if (vault === 'file') return { prefix: vault, name: vault, config: {} };
    throw new VaultError(
      text,
      `there is no vault '${vault}' (known: ${['env', 'file', ...this.#vaults.keys()].join(', ')})`,
    );
  }

  #ask(reference: VaultReference, { name, config }: ConfiguredVault): string {
    if (name === 'env') return readEnvVault(reference, this.#options.env, config.prefix ?? '');
    if (name === 'file') return readFileVault(reference, this.#options.fileBase ?? null, config.prefix ?? '');
    throw new VaultError(reference.text, `vault '${name}' is not installed`);
  }
}

function valueOf({ value, failure }: Cached): string {
  if (value !== null) return value;
  throw failure ?? new Error('a vault answered neither a value nor an error');
}

function withoutNulls({ ttl, neg_ttl, resurrect_ttl }: ConfiguredVault['config']): VaultTimes {
  const given = Object.entries({ ttl, neg_ttl, resurrect_ttl }).filter(
    ([, value]) => typeof value === 'number',
  );
  return Object.fromEntries(given);
}
