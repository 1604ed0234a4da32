/**
 * What is valid Kong configuration and cannot run here yet. Whoever takes entities in (a declarative file, an Admin
 * write) refuses them by this list, after validation. Kinds without a line here are accepted: they run, or they are
 * inert until a plugin or a listener asks for them. Later work deletes lines.
 */
import { PLUGIN_SCHEMAS } from './plugin-schemas.ts';
import type { Values } from './schema/field.ts';

/** One thing that does not work. */
export interface NotYet {
  /** The field, from the entity down; empty: the entity as a whole. */
  readonly path: readonly string[];
  readonly message: string;
}

interface Rule {
  readonly field: string;
  readonly path: readonly string[];
  readonly runs: (value: unknown) => boolean;
  /** Kong's own words, where it has any. */
  readonly says?: ((value: unknown) => string) | undefined;
}

const is =
  (wanted: unknown) =>
  (value: unknown): boolean =>
    value === wanted;

/** @param field dots go into records. */
function rule(field: string, runs: Rule['runs'], says?: Rule['says']): Rule {
  return { field, path: field.split('.'), runs, says };
}

/** Kinds that nothing takes in: none of them runs, or a store has them that no file fills. */
const KINDS: Readonly<Record<string, string>> = {
  filter_chains: 'Sluice does not support filter_chains yet',
  oauth2_tokens: 'tokens are no configuration: write them to the Admin API of a node with a database',
};

const RULES: Readonly<Record<string, readonly Rule[]>> = {
  workspaces: [rule('name', is('default'))],
  plugins: [
    rule(
      'name',
      (name) => PLUGIN_SCHEMAS.has(String(name)),
      (name) => `plugin '${String(name)}' not enabled; add it to the 'plugins' configuration property`,
    ),
  ],
};

/** @param entity valid and complete. */
export function notYet(kind: string, entity: Values): readonly NotYet[] {
  const refused = KINDS[kind];
  if (refused !== undefined) return [{ path: [], message: refused }];
  const found: NotYet[] = [];
  for (const { field, path, runs, says } of RULES[kind] ?? []) {
    const value = valueAt(entity, path);
    if (runs(value)) continue;
    const message =
      says?.(value) ?? `Sluice does not support ${field} ${JSON.stringify(value)} of ${kind} yet`;
    found.push({ path, message });
  }
  return found;
}

function valueAt(entity: Values, path: readonly string[]): unknown {
  let value: unknown = entity;
  for (const name of path) value = (value as Values | null | undefined)?.[name];
  return value;
}
