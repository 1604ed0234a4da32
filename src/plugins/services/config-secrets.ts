/**
 * Vault references in a configuration: what stands in fields with `referenceable` is resolved before `create` sees it.
 *
 * It remembers what it resolved, so that a worker can ask now and then whether a vault says something else by now (the
 * vault's own times say how often that is looked at). A vault that does not answer any more changes nothing.
 */
import type { Field, Fields, Values } from '../../entities/schema/field.ts';
import { MASK } from '../../entities/secrets.ts';
import { isVaultReference } from '../../lib/vault/reference.ts';

export class ConfigSecrets {
  readonly #secret: (text: string) => string;
  /** By reference; null: it could not be resolved. */
  readonly #seen = new Map<string, string | null>();

  /** @param secret resolves one. @throws (when called) Error, which never holds a secret */
  constructor(secret: (text: string) => string) {
    this.#secret = secret;
  }

  /** The configuration with its secrets. @throws what `secret` throws, when all references have been tried */
  resolve(fields: Fields, config: Values): Values {
    const failures: unknown[] = [];
    const resolved = this.#record(fields, config, failures);
    if (failures.length > 0) throw failures[0];
    return resolved;
  }

  /** Without references nothing ever changes. */
  get none(): boolean {
    return this.#seen.size === 0;
  }

  /** True once for each time that a vault says something else than before. */
  changed(): boolean {
    let changed = false;
    for (const [reference, before] of this.#seen) {
      try {
        const now = this.#secret(reference);
        if (now === before) continue;
        this.#seen.set(reference, now);
        changed = true;
      } catch {
        // What was resolved goes on.
      }
    }
    return changed;
  }

  /** A text for a log, which a plugin may have made of its secrets. */
  masked(text: string): string {
    const secrets = [...this.#seen.values()].filter((one): one is string => one !== null && one !== '');
    return secrets
      .toSorted((a, b) => b.length - a.length)
      .reduce((safe, one) => safe.replaceAll(one, MASK), text);
  }

  #record(fields: Fields, values: Values, failures: unknown[]): Values {
    let changed: Record<string, unknown> | null = null;
    for (const [name, value] of Object.entries(values)) {
      const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
      if (field === undefined) continue;
      const resolved = this.#value(field, value, failures);
      if (resolved !== value) (changed ??= { ...values })[name] = resolved;
    }
    return changed ?? values;
  }

  #value(field: Field, value: unknown, failures: unknown[]): unknown {
    if (field.type === 'string') {
      return field.referenceable === true && typeof value === 'string' && isVaultReference(value)
        ? this.#text(value, failures)
        : value;
    }
    if (typeof value !== 'object' || value === null) return value;
    if (field.type === 'record') return this.#record(field.fields, value as Values, failures);
    if (field.type === 'array' || field.type === 'set') {
      const list = value as readonly unknown[];
      const resolved = list.map((one) => this.#value(field.elements, one, failures));
      return resolved.some((one, at) => one !== list[at]) ? resolved : list;
    }
    if (field.type !== 'map') return value;
    const entries = Object.entries(value).map(([key, one]) => [
      key,
      this.#value(field.values, one, failures),
    ]);
    return Object.fromEntries(entries);
  }

  #text(reference: string, failures: unknown[]): string {
    try {
      const secret = this.#secret(reference);
      this.#seen.set(reference, secret);
      return secret;
    } catch (error) {
      this.#seen.set(reference, null);
      failures.push(error);
      return reference;
    }
  }
}
