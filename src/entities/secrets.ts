/**
 * Which fields of an entity are secrets (`secret: true`), and what is done with them: one walk serves sealing at rest
 * and masking for logs, diffs and readers without the right.
 */
import type { EntityDefinition, Field, Fields, Values } from './schema/field.ts';

/** Names from the entity inwards: `['pem', 'private_key']`; `*` is each element of a list and each value of a map. */
export type SecretPath = readonly string[];

const EACH = '*';

export const MASK = '******';

const byFields = new WeakMap<Fields, readonly SecretPath[]>();

/** @param entity chooses the variant of a kind that has some (Kong's subschemas); left out, only the common fields. */
export function secretFields(definition: EntityDefinition, entity?: Values): readonly SecretPath[] {
  const variant =
    entity === undefined ? null : (definition.variants?.(entity, 'traditional_compatible') ?? null);
  const common = pathsOf(definition.fields);
  if (variant === null) return common;
  // A variant's field takes the place of the common one.
  const rest = common.filter(([name = '']) => !Object.hasOwn(variant.fields, name));
  return [...rest, ...pathsOf(variant.fields)];
}

/** A copy in which each secret that is set is what `change` makes of it; the entity itself when nothing changes. */
export function mapSecrets(
  definition: EntityDefinition,
  entity: Values,
  change: (value: string, path: SecretPath) => string,
): Values {
  return secretFields(definition, entity).reduce(
    (current, path) => replaceAt(current, path, path, change),
    entity,
  );
}

/** For logs, diffs and error messages. A vault reference is no secret. */
export function maskSecrets(definition: EntityDefinition, entity: Values): Values {
  const isReference = (value: string): boolean => value.startsWith('{vault://') && value.endsWith('}');
  return mapSecrets(definition, entity, (value) => (isReference(value) ? value : MASK));
}

/** A field's value as an error message may tell it: those go to logs. */
export function toldValue<T>({ fields }: EntityDefinition, name: string, value: T): T | string {
  const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
  return field?.type === 'string' && field.secret === true ? MASK : value;
}

function replaceAt(
  values: Values,
  rest: SecretPath,
  path: SecretPath,
  change: (value: string, path: SecretPath) => string,
): Values {
  const [name = '', ...inner] = rest;
  if (name === EACH) return replaceEach(values, inner, path, change);
  const value = Object.hasOwn(values, name) ? values[name] : undefined;
  return withValue(values, name, replaceValue(value, inner, path, change));
}

function replaceEach(
  values: Values,
  inner: SecretPath,
  path: SecretPath,
  change: (value: string, path: SecretPath) => string,
): Values {
  let copy: Record<string, unknown> | null = null;
  for (const [key, value] of Object.entries(values)) {
    const changed = replaceValue(value, inner, path, change);
    if (changed === value) continue;
    copy ??= (Array.isArray(values) ? [...(values as unknown[])] : { ...values }) as Record<string, unknown>;
    copy[key] = changed;
  }
  return copy ?? values;
}

function replaceValue(
  value: unknown,
  inner: SecretPath,
  path: SecretPath,
  change: (value: string, path: SecretPath) => string,
): unknown {
  if (inner.length === 0) return typeof value === 'string' ? change(value, path) : value;
  return typeof value === 'object' && value !== null
    ? replaceAt(value as Values, inner, path, change)
    : value;
}

function withValue(values: Values, name: string, value: unknown): Values {
  return values[name] === value ? values : { ...values, [name]: value };
}

function pathsOf(fields: Fields): readonly SecretPath[] {
  let paths = byFields.get(fields);
  if (paths === undefined) {
    paths = Object.entries(fields).flatMap(([name, field]) =>
      below(field).map((path) => [name].concat(path)),
    );
    byFields.set(fields, paths);
  }
  return paths;
}

function below(field: Field): readonly SecretPath[] {
  if (field.type === 'string') return field.secret === true ? [[]] : [];
  if (field.type === 'record') return pathsOf(field.fields);
  const inside = field.type === 'map' ? field.values : 'elements' in field ? field.elements : null;
  return inside === null ? [] : below(inside).map((path) => [EACH].concat(path));
}
