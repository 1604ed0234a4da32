/**
 * What a store refuses, in Kong's terms (its `db.errors`): a number, a name, a message, and `fields` or `options`.
 * The Admin API answers exactly this object; `status` is the HTTP status that Kong gives it.
 */
import { ENTITY, fieldsTree, type FieldsTree, type Issue } from '../entities/schema/issue.ts';
import type { Values } from '../entities/schema/field.ts';

export class StoreError extends Error {
  readonly code: number;
  /** Kong's `name` of the code. */
  readonly kind: string;
  readonly status: number;
  /** What stands beside code, name and message in the answer: `fields` or `options`. */
  readonly detail: Readonly<Record<string, unknown>>;
  /** Which write of a commit it is about, from 0. */
  index = 0;

  constructor(
    type: { readonly code: number; readonly kind: string; readonly status: number },
    message: string,
    detail: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
    this.name = 'StoreError';
    this.code = type.code;
    this.kind = type.kind;
    this.status = type.status;
    this.detail = detail;
  }

  /** Kong's error object. */
  toBody(): Readonly<Record<string, unknown>> {
    return { code: this.code, name: this.kind, message: this.message, ...this.detail };
  }
}

/** A change that the author's grant does not cover. Kong's own words for it are a message alone. */
export class Forbidden extends StoreError {
  constructor(message: string) {
    super({ code: 0, kind: 'forbidden', status: 403 }, message);
  }

  override toBody(): Readonly<Record<string, unknown>> {
    return { message: this.message };
  }
}

/** The store cannot be reached, or does not take writes now. */
export class StoreUnavailable extends Error {}

/** A commit that expected another revision than the current one (`If-Match`), or that lost too many races. */
export class RevisionConflict extends Error {
  readonly expected: number;
  readonly current: number;

  constructor(expected: number, current: number) {
    super(`revision ${expected} is not the current one, which is ${current}`);
    this.expected = expected;
    this.current = current;
  }
}

const type = (code: number, kind: string, status: number) => ({ code, kind, status }) as const;

export const CODES = {
  invalidPrimaryKey: type(1, 'invalid primary key', 400),
  schemaViolation: type(2, 'schema violation', 400),
  primaryKeyViolation: type(3, 'primary key violation', 400),
  foreignKeyViolation: type(4, 'foreign key violation', 400),
  uniqueViolation: type(5, 'unique constraint violation', 409),
  notFound: type(6, 'not found', 404),
  invalidOffset: type(7, 'invalid offset', 400),
  invalidSize: type(9, 'invalid size', 400),
  invalidUnique: type(10, 'invalid unique %s', 400),
  invalidOptions: type(11, 'invalid options', 400),
  operationUnsupported: type(12, 'operation unsupported', 405),
  foreignKeysUnresolved: type(13, 'foreign keys unresolved', 400),
  invalidDeclarative: type(14, 'invalid declarative configuration', 400),
  referencedByOthers: type(19, 'referenced by others', 400),
} as const;

/** `{id="x",name=null}`: Kong prints Lua tables, keys sorted. */
export function luaTable(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `{${value.map(luaTable).join(',')}}`;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([name, one]) => `${name}=${luaTable(one)}`).join(',')}}`;
}

export function schemaViolation(issues: readonly Issue[]): StoreError {
  const fields = fieldsTree(issues);
  const parts = flatten(fields, '');
  const message =
    parts.length === 1
      ? `schema violation (${String(parts[0])})`
      : `${parts.length} schema violations (${parts.join('; ')})`;
  return new StoreError(CODES.schemaViolation, message, { fields });
}

/** A write without a database. @param verb Kong's: create, update, create or update, remove. */
export function unsupported(verb: string, kind: string): StoreError {
  return new StoreError(
    CODES.operationUnsupported,
    `cannot ${verb} '${kind}' entities when not using a database`,
  );
}

/**
 * One message as `field: text`, places joined by dots and counted from 1; entity messages stand alone and come first.
 */
function flatten(node: FieldsTree | ReadonlyArray<unknown>, prefix: string): string[] {
  const entries = Array.isArray(node)
    ? node.map((child, index): [string, unknown] => [String(index + 1), child])
    : Object.entries(node as FieldsTree).sort(([a], [b]) => compareNames(a, b));
  return entries.flatMap(([name, child]): string[] => {
    if (child === null) return [];
    if (name === ENTITY && Array.isArray(child)) {
      return child.map((text) => (prefix === '' ? String(text) : `${prefix.slice(0, -1)}: ${String(text)}`));
    }
    if (typeof child === 'string') return [`${prefix}${name}: ${child}`];
    return flatten(child as FieldsTree, `${prefix}${name}.`);
  });
}

function compareNames(a: string, b: string): number {
  if (a === b) return 0;
  if (a === ENTITY) return -1;
  return b !== ENTITY && a < b ? -1 : 1;
}

/** @param values the fields that together are taken already. */
export function uniqueViolation(values: Values): StoreError {
  return new StoreError(CODES.uniqueViolation, `UNIQUE violation detected on '${luaTable(values)}'`, {
    fields: values,
  });
}

/** @param key what the request named the entity by. */
export function primaryKeyViolation(key: Values): StoreError {
  return new StoreError(CODES.primaryKeyViolation, `primary key violation on key '${luaTable(key)}'`, {
    fields: key,
  });
}

export function notFound(key: Values): StoreError {
  return new StoreError(CODES.notFound, `could not find the entity with primary key '${luaTable(key)}'`, {
    fields: key,
  });
}

/** Looked for by an id, or by the value of another field. */
export function missingEntity(field: string, value: string): StoreError {
  if (field === 'id') return notFound({ id: value });
  const fields = { [field]: value };
  return new StoreError(CODES.notFound, `could not find the entity with '${luaTable(fields)}'`, { fields });
}

export function referencedBy(kind: string, by: string): StoreError {
  return new StoreError(
    CODES.foreignKeyViolation,
    `an existing '${by}' entity references this '${kind}' entity`,
    { fields: { '@referenced_by': by } },
  );
}

/** Kong's code 19; `what` and `by` in its words: a CA certificate that services trust. */
export function referencedByOthers(what: string, id: string, by: string, byId: string): StoreError {
  return new StoreError(
    CODES.referencedByOthers,
    `${what} ${id} is still referenced by ${by} (id = ${byId})`,
  );
}

export function missingForeign(field: string, id: string, reference: string): StoreError {
  return new StoreError(
    CODES.foreignKeyViolation,
    `the foreign key '${luaTable({ id })}' does not reference an existing '${reference}' entity.`,
    { fields: { [field]: { id } } },
  );
}

export function invalidOption(name: string, problem: string): StoreError {
  return new StoreError(CODES.invalidOptions, `invalid option (${name}: ${problem})`, {
    options: { [name]: problem },
  });
}

/** A reference by a unique name that nothing has. */
export function unresolvedForeign(field: string, key: Values, reference: string): StoreError {
  const name = Object.keys(key)[0] ?? 'id';
  const text = `the foreign key cannot be resolved with '${luaTable(key)}' for an existing '${reference}' entity`;
  return new StoreError(CODES.foreignKeysUnresolved, `foreign key unresolved (${field}.${name}: ${text})`, {
    fields: { [field]: { [name]: text } },
  });
}
