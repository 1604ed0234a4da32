/** Definitions of entities by Kong's name of the kind. */
import { DEFINITIONS, INTERNAL } from '../../entities/registry.ts';
import type { EntityDefinition } from '../../entities/schema/field.ts';

const byName = new Map([...DEFINITIONS, ...INTERNAL].map((definition) => [definition.name, definition]));

/** @throws Error for a name that is no kind: the caller's mistake. */
export function definitionOf(kind: string): EntityDefinition {
  const found = byName.get(kind);
  if (found === undefined) throw new Error(`there is no kind '${kind}'`);
  return found;
}
