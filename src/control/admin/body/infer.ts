/**
 * Texts of a form → values, by the types of the entity's fields (Kong's `infer`): numbers, `true` and `false`, one
 * value where a list is expected; an empty text is null. What does not fit stays text, and validation says so.
 */
import type {
  EntityDefinition,
  Field,
  Fields,
  RouterFlavor,
  Values,
} from '../../../entities/schema/field.ts';
import { definitionOf } from '../kinds.ts';
import { luaNumber } from './form.ts';

/** @param chooser values that choose the variant of the fields (a plugin's name), when the input does not. */
export function inferEntity(
  input: Values,
  definition: EntityDefinition,
  flavor: RouterFlavor,
  chooser: Values | null,
): Record<string, unknown> {
  const variant = definition.variants?.(chooser === null ? input : { ...chooser, ...input }, flavor);
  const fields: Record<string, Field> = { ...definition.fields, ...variant?.fields };
  for (const name of Object.keys(definition.shorthand_fields ?? {})) fields[name] ??= { type: 'string' };
  if (definition.ttl === true) fields['ttl'] = { type: 'number' };
  return inferFields(input, fields);
}

function inferFields(input: Values, fields: Fields): Record<string, unknown> {
  return mapValues(input, (name, value) =>
    Object.hasOwn(fields, name) ? inferValue(value, fields[name]) : value,
  );
}

function mapValues(input: Values, map: (name: string, value: unknown) => unknown): Record<string, unknown> {
  return Object.fromEntries(Object.entries(input).map(([name, value]) => [name, map(name, value)]));
}

function inferValue(value: unknown, field: Field | undefined): unknown {
  if (field === undefined || field.type === 'json') return value;
  if (value === '') return null;
  const nested =
    typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Values) : null;
  switch (field.type) {
    case 'integer':
    case 'number':
      return typeof value === 'string' ? (luaNumber(value) ?? value) : value;
    case 'boolean':
      return value === 'true' || value === 'false' ? value === 'true' : value;
    case 'array':
    case 'set':
      if (nested !== null) return value;
      return (Array.isArray(value) ? value : [value]).map((one) => inferValue(one, field.elements));
    case 'map':
      return nested === null ? value : mapValues(nested, (_, one) => inferValue(one, field.values));
    case 'record':
      return nested === null || field.abstract === true ? value : inferFields(nested, field.fields);
    case 'foreign':
      return nested === null ? value : inferFields(nested, definitionOf(field.reference).fields);
    default:
      return value;
  }
}
