/**
 * Defaults and equality by schema. A file says little of an entity, an Admin API answers every field; both are compared
 * in their complete form, and a dump leaves out what completing brings back.
 *
 * Schemas come in two notations: Kong's `/schemas` (lists of objects with one field each) and the definitions of this
 * gateway (records). Both are read into one. What a schema does not know is kept and compared as it is.
 */
import { isDeepStrictEqual } from 'node:util';
import { isObject } from './server.ts';

export interface FieldSchema {
  readonly type: string;
  readonly default: unknown;
  /** Of a record that may be null. */
  readonly nullable: boolean;
  /** Made by the server when missing. */
  readonly auto: boolean;
  readonly secret: boolean;
  readonly fields: FieldSchemas | null;
  readonly elements: FieldSchema | null;
}

export type FieldSchemas = ReadonlyMap<string, FieldSchema>;

type Values = Readonly<Record<string, unknown>>;

/** @param fields `[{ name: {…} }, …]`, or `{ name: {…} }`. */
export function readFields(fields: unknown): FieldSchemas {
  const pairs = Array.isArray(fields)
    ? fields.flatMap((one) => (isObject(one) ? Object.entries(one) : []))
    : [];
  const entries = Array.isArray(fields) ? pairs : Object.entries(isObject(fields) ? fields : {});
  return new Map(
    entries.flatMap(([name, field]): Array<[string, FieldSchema]> =>
      isObject(field) ? [[name, readField(field)]] : [],
    ),
  );
}

function readField(field: Values): FieldSchema {
  const { type, fields, elements, values } = field;
  const inner = isObject(elements) ? elements : isObject(values) ? values : null;
  return {
    type: typeof type === 'string' ? type : 'json',
    default: field['default'] ?? null,
    nullable: field['required'] === false || field['abstract'] === true,
    auto: field['auto'] === true,
    secret: field['encrypted'] === true,
    fields: type === 'record' && fields !== undefined ? readFields(fields) : null,
    elements: inner === null ? null : readField(inner),
  };
}

/** With every field that the schema has. A value that is given stays, save that records are completed. */
export function complete(fields: FieldSchemas, given: Values): Record<string, unknown> {
  const whole: Record<string, unknown> = { ...given };
  for (const [name, field] of fields) {
    whole[name] = completeField(field, Object.hasOwn(given, name) ? given[name] : undefined);
  }
  return whole;
}

function completeField(field: FieldSchema, value: unknown): unknown {
  if (value === undefined || value === null) {
    if (field.default !== null) return completeField({ ...field, default: null }, field.default);
    return field.type === 'record' && field.fields !== null && !field.nullable
      ? complete(field.fields, {})
      : null;
  }
  if (field.type === 'record') {
    return field.fields !== null && isObject(value) ? complete(field.fields, value) : value;
  }
  const { elements } = field;
  if (elements === null || (elements.type !== 'record' && elements.elements === null)) return value;
  if (Array.isArray(value)) return value.map((one) => completeField(elements, one));
  if (field.type !== 'map' || !isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, completeField(elements, one)]));
}

/** Equal for the gateway: sets in any order, nothing and an empty record, an empty list and an empty map. */
export function sameValue(a: unknown, b: unknown, field: FieldSchema | undefined): boolean {
  const x = a ?? null;
  const y = b ?? null;
  if (x === y || isDeepStrictEqual(x, y)) return true;
  if (isEmpty(x) && isEmpty(y)) return true;
  if (Array.isArray(x) && Array.isArray(y)) return sameLists(x, y, field);
  if (isObject(x) && isObject(y)) return sameRecords(x, y, field);
  const record = isObject(x) ? x : isObject(y) ? y : null;
  return record !== null && (x === null || y === null) && saysNothing(record, field);
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

function sameLists(x: readonly unknown[], y: readonly unknown[], field: FieldSchema | undefined): boolean {
  if (x.length !== y.length) return false;
  const inner = field?.elements ?? undefined;
  if (field?.type === 'set' && x.every((one) => typeof one !== 'object')) {
    const all = new Set(x);
    return all.size === new Set(y).size && y.every((one) => all.has(one));
  }
  return x.every((one, index) => sameValue(one, y[index], inner));
}

function sameRecords(x: Values, y: Values, field: FieldSchema | undefined): boolean {
  const names = new Set([...Object.keys(x), ...Object.keys(y)]);
  for (const name of names) {
    const inner = field?.type === 'map' ? (field.elements ?? undefined) : field?.fields?.get(name);
    if (!sameValue(x[name], y[name], inner)) return false;
  }
  return true;
}

/** A record that holds no more than its absence would. */
function saysNothing(record: Values, field: FieldSchema | undefined): boolean {
  const absent = field?.fields === undefined || field.fields === null ? {} : complete(field.fields, {});
  return sameRecords(record, absent, field);
}

/** Without what `complete` fills in. */
export function withoutDefaults(fields: FieldSchemas, whole: Values): Record<string, unknown> {
  const rest: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(whole)) {
    if (value === null || value === undefined) continue;
    const field = fields.get(name);
    if (field !== undefined && sameValue(value, completeField(field, undefined), field)) continue;
    rest[name] = field === undefined ? value : shorten(field, value);
  }
  return rest;
}

function shorten(field: FieldSchema, value: unknown): unknown {
  if (field.type === 'record' && field.fields !== null && isObject(value)) {
    // A default of the record as a whole replaces those of its fields.
    return field.default === null ? withoutDefaults(field.fields, value) : withoutNulls(value);
  }
  const { elements } = field;
  if (elements?.fields == null || !Array.isArray(value)) return isObject(value) ? withoutNulls(value) : value;
  return value.map((one) => shorten(elements, one));
}

function withoutNulls(value: Values): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== null));
}
