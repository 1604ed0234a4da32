/** Definitions of entities by Kong's name of the kind. */
import { fromKinds } from '../../entities/plugin-entities.ts';
import { allDefinitions, INTERNAL } from '../../entities/registry.ts';
import type { EntityDefinition } from '../../entities/schema/field.ts';

const byName = fromKinds(
  () => new Map([...allDefinitions(), ...INTERNAL].map((definition) => [definition.name, definition])),
);

/** @throws Error for a name that is no kind: the caller's mistake. */
export function definitionOf(kind: string): EntityDefinition {
  const found = byName().get(kind);
  if (found === undefined) throw new Error(`there is no kind '${kind}'`);
  return found;
}

/** Not those that the store keeps for a plugin that is gone. */
export function isKind(kind: string): boolean {
  return byName().has(kind);
}
