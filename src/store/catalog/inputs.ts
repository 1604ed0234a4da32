/** What a client sent → what is validated: references by name resolved, patches merged. */
import type { Field, Fields, Values } from '../../entities/schema/field.ts';
import { unresolvedForeign } from '../errors.ts';
import { kindIndex, type KindIndex } from './kind-index.ts';

function isRecord(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Where entities are found by a unique field. */
export interface Finder {
  /** Id of the entity; null: none has the value. */
  findBy(kind: string, field: string, value: string): string | null;
}

/**
 * References as `{ id }`; a reference may name a unique field instead (`{ "name": "x" }`). What is neither is left to
 * validation.
 * @throws StoreError, code 13: nothing has that name.
 */
export function resolveReferences(
  finder: Finder,
  { relations }: KindIndex,
  input: Values,
): Record<string, unknown> {
  const resolved: Record<string, unknown> = {};
  for (const { name, field } of relations) {
    const value = Object.hasOwn(input, name) ? input[name] : undefined;
    if (!isRecord(value)) continue;
    if (typeof value['id'] === 'string') {
      resolved[name] = { id: value['id'].toLowerCase() };
      continue;
    }
    const reference = kindIndex(field.reference);
    const by = reference.uniques.find(
      ({ fields: [one], name: index }) => one === index && typeof value[index] === 'string',
    );
    if (by === undefined) continue;
    const text = String(value[by.name]);
    const id = finder.findBy(field.reference, by.name, text);
    if (id === null) throw unresolvedForeign(name, { [by.name]: text }, field.reference);
    resolved[name] = { id };
  }
  return resolved;
}

/** Kong's PATCH: records merge field by field, everything else is replaced as a whole. */
export function mergePatch(fields: Fields, stored: Values, patch: Values): Record<string, unknown> {
  const merged: Record<string, unknown> = { ...stored };
  for (const [name, value] of Object.entries(patch)) {
    const before = Object.hasOwn(stored, name) ? stored[name] : undefined;
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
    // Not assigned: a key named __proto__ is only a key.
    Object.defineProperty(merged, name, {
      value: mergeField(field, before, value),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return merged;
}

function mergeField(field: Field | undefined, before: unknown, value: unknown): unknown {
  if (field?.type !== 'record' || !isRecord(before) || !isRecord(value)) return value;
  return mergePatch(field.fields, before, value);
}
