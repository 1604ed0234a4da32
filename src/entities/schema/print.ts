/**
 * A definition as Kong's `/schemas` answers it, from which decK and Terraform read types and defaults: fields as a list
 * of one-key objects, rules as data. What is code is left out; a pattern is printed as the Lua pattern that Kong has.
 */
import type { EntityCheck, EntityDefinition, Field, Fields, Pattern, RouterFlavor, Values } from './field.ts';

export interface PrintedSchema {
  readonly fields: ReadonlyArray<Readonly<Record<string, PrintedField>>>;
  readonly entity_checks: readonly unknown[];
}

export type PrintedField = Readonly<Record<string, unknown>>;

/** The sentence about a field by its path (`healthchecks.active.timeout`), or undefined. */
export type Describe = (path: string) => string | undefined;

/** Every field that entities of the kind have with this flavour. */
export function fieldsOf(definition: EntityDefinition, flavor: RouterFlavor): Fields {
  return { ...definition.fields, ...definition.flavored?.(flavor) };
}

export function printDefinition(
  definition: EntityDefinition,
  flavor: RouterFlavor,
  describe: Describe,
): PrintedSchema {
  return printSchema(fieldsOf(definition, flavor), definition.entity_checks ?? [], describe);
}

export function printSchema(
  fields: Fields,
  checks: readonly EntityCheck[],
  describe: Describe,
): PrintedSchema {
  return { fields: printFields(fields, describe, ''), entity_checks: checks.map(printData) };
}

function printFields(fields: Fields, describe: Describe, prefix: string): PrintedSchema['fields'] {
  return Object.entries(fields).map(([name, field]) => {
    const printed = printField(field, describe, `${prefix}${name}`);
    // Kong makes records of entities required, so that answers have all of their fields.
    const implied = field.type === 'record' && field.abstract !== true && field.required === undefined;
    return { [name]: implied ? { ...printed, required: true } : printed };
  });
}

/** One field. */
export function printField(field: Field, describe: Describe, path: string): PrintedField {
  const description = field.description ?? describe(path);
  const printed: Record<string, unknown> = description === undefined ? {} : { description };
  for (const [name, value] of Object.entries(field)) {
    if (name === 'fields') printed[name] = printFields(value as Fields, describe, `${path}.`);
    else if (name === 'elements' || name === 'values' || name === 'keys') {
      printed[name] = printField(value as Field, describe, `${path}[]`);
    } else if (name === 'shorthand_fields') {
      printed[name] = Object.entries(value as object).map(([short, one]: [string, unknown]) => ({
        [short]: printData(one),
      }));
    } else if (name === 'entity_checks') {
      printed[name] = (value as readonly EntityCheck[]).map(printData);
    } else {
      const data = printData(value);
      if (data !== undefined) printed[name] = data;
    }
  }
  return printed;
}

/** Data as it is; patterns as Lua; nothing for code. */
function printData(value: unknown): unknown {
  if (typeof value === 'function' || value === undefined) return undefined;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(printData);
  if (isPattern(value)) return value.lua;
  const printed = Object.entries(value as Values).map(([name, one]): [string, unknown] => [
    name,
    printData(one),
  ]);
  return Object.fromEntries(printed.filter(([, one]) => one !== undefined));
}

function isPattern(value: object): value is Pattern {
  return 'lua' in value && 'js' in value;
}
