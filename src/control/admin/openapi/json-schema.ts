/**
 * A field's description → JSON Schema (2020-12, which OpenAPI 3.1 uses). It says what can be said as data; rules that
 * are code stay out, so a document accepts a little more than the gateway.
 */
import type {
  Field,
  Fields,
  ListField,
  MapField,
  NumberField,
  RecordField,
  StringField,
} from '../../../entities/schema/field.ts';
import type { Describe } from '../../../entities/schema/print.ts';

export type JsonSchema = Readonly<Record<string, unknown>>;

/** What the schema is for. */
export type Use =
  /** A complete entity, as it is answered. */
  | 'answer'
  /** The whole of a new entity. */
  | 'write'
  /** A part of an entity. */
  | 'merge';

export interface SchemaOptions {
  readonly describe: Describe;
  readonly use: Use;
}

/** An object with these fields. */
export function objectSchema(fields: Fields, options: SchemaOptions, prefix = ''): JsonSchema {
  const entries = Object.entries(fields);
  const properties = entries.map(([name, field]): [string, JsonSchema] => [
    name,
    fieldSchema(field, options, `${prefix}${name}`),
  ]);
  const required = entries.filter(([, field]) => isRequired(field, options.use)).map(([name]) => name);
  return {
    type: 'object',
    properties: Object.fromEntries(properties),
    ...(required.length > 0 ? { required } : {}),
    additionalProperties: false,
  };
}

function isRequired(field: Field, use: Use): boolean {
  if (use === 'answer') return field.transient !== true;
  if (use === 'merge' || field.required !== true || field.auto === true) return false;
  return !('default' in field);
}

/** Null where the field can be null: answered when it is unset, written to unset it. */
function fieldSchema(field: Field, options: SchemaOptions, path: string): JsonSchema {
  const schema = typeSchema(field, options, path);
  const description = field.description ?? options.describe(path);
  const initial = 'default' in field ? field.default : undefined;
  const nullable =
    field.required !== true && (options.use !== 'answer' || initial === undefined || initial === null);
  return {
    ...(nullable && field.auto !== true ? orNull(schema) : schema),
    ...(description === undefined ? {} : { description }),
    ...(initial === undefined || initial === null ? {} : { default: initial }),
    ...(field.auto === true && options.use === 'answer' ? { readOnly: true } : {}),
  };
}

function orNull(schema: JsonSchema): JsonSchema {
  const { type } = schema;
  if (Array.isArray(schema['enum']))
    return { ...schema, type: [type, 'null'], enum: [...schema['enum'], null] };
  return typeof type === 'string' ? { ...schema, type: [type, 'null'] } : schema;
}

function typeSchema(field: Field, options: SchemaOptions, path: string): JsonSchema {
  switch (field.type) {
    case 'string':
      return stringSchema(field);
    case 'integer':
    case 'number':
      return numberSchema(field);
    case 'boolean':
      return { type: 'boolean' };
    case 'array':
    case 'set':
      return listSchema(field, options, path);
    case 'map':
      return mapSchema(field, options, path);
    case 'record':
      return recordSchema(field, options, path);
    case 'foreign':
      return referenceSchema(options.use);
    default:
      return {};
  }
}

function stringSchema(field: StringField): JsonSchema {
  const base: Record<string, unknown> = { type: 'string' };
  if (field.one_of !== undefined) base['enum'] = field.one_of;
  else if (field.uuid === true) base['format'] = 'uuid';
  else base['minLength'] = field.len_min ?? 1;
  if (field.not_one_of !== undefined) base['not'] = { enum: field.not_one_of };
  // A reference to a vault is no value of the field's form.
  if (field.referenceable === true) return base;
  const all = [
    ...(field.match_all ?? []).map(({ pattern }) => ({ pattern: pattern.js.source })),
    ...(field.match_none ?? []).map(({ pattern }) => ({ not: { pattern: pattern.js.source } })),
  ];
  if (field.match !== undefined) base['pattern'] = field.match.js.source;
  else if (field.starts_with !== undefined) base['pattern'] = `^${RegExp.escape(field.starts_with)}`;
  if (all.length > 0) base['allOf'] = all;
  if (field.match_any !== undefined) {
    base['anyOf'] = field.match_any.patterns.map(({ js }) => ({ pattern: js.source }));
  }
  return base;
}

function numberSchema({ type, one_of: oneOf, between, gt }: NumberField): JsonSchema {
  return {
    type,
    ...(oneOf === undefined ? {} : { enum: oneOf }),
    ...(between === undefined ? {} : { minimum: between[0], maximum: between[1] }),
    ...(gt === undefined ? {} : { exclusiveMinimum: gt }),
  };
}

function listSchema(field: ListField, options: SchemaOptions, path: string): JsonSchema {
  return {
    type: 'array',
    items: fieldSchema({ ...field.elements, required: true }, options, `${path}[]`),
    ...(field.type === 'set' ? { uniqueItems: options.use === 'answer' } : {}),
    ...(field.len_min === undefined ? {} : { minItems: field.len_min }),
  };
}

function mapSchema(field: MapField, options: SchemaOptions, path: string): JsonSchema {
  return {
    type: 'object',
    additionalProperties: fieldSchema({ ...field.values, required: true }, options, `${path}[]`),
  };
}

function recordSchema(field: RecordField, options: SchemaOptions, path: string): JsonSchema {
  return field.abstract === true ? { type: 'object' } : objectSchema(field.fields, options, `${path}.`);
}

/** By id; written also by a unique name. */
function referenceSchema(use: Use): JsonSchema {
  const id = { type: 'string', format: 'uuid' };
  if (use !== 'answer') return { type: 'object', properties: { id }, minProperties: 1 };
  return { type: 'object', properties: { id }, required: ['id'] };
}
