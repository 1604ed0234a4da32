/**
 * The schema of a `kong-pdk` plugin, a list of fields in Kong's words (`[{ message: { type: 'string' } }]`), as fields of ours.
 * What is not known is refused: a rule that is not understood would be a rule that does not hold.
 */
import type { Field, Fields } from '../../entities/schema/field.ts';
import { luaPattern } from './lua-pattern.ts';

type Given = Readonly<Record<string, unknown>>;

const MAX_DEPTH = 16;
const COMMON = ['type', 'required', 'default', 'description', 'err', 'eq', 'unique'] as const;
const STRING = [
  'one_of',
  'not_one_of',
  'uuid',
  'len_min',
  'len_max',
  'starts_with',
  'match',
  'match_none',
  'match_all',
  'match_any',
  'referenceable',
  'encrypted',
] as const;
const NUMBER = ['one_of', 'between', 'gt', 'timestamp'] as const;
const LIST = ['elements', 'len_min', 'len_eq', 'contains'] as const;

const KNOWN: Readonly<Record<string, readonly string[]>> = {
  string: STRING,
  number: NUMBER,
  integer: NUMBER,
  boolean: [],
  array: LIST,
  set: LIST,
  map: ['keys', 'values'],
  record: ['fields'],
};

/** @throws TypeError that names the field. */
export function fieldsOf(schema: unknown, at = 'Schema', depth = 0): Fields {
  if (!Array.isArray(schema))
    throw new TypeError(`${at} must be a list of fields: [{ name: { type: 'string' } }]`);
  if (depth > MAX_DEPTH) throw new TypeError(`${at}: more than ${MAX_DEPTH} fields in each other`);
  const fields: Array<readonly [string, Field]> = [];
  for (const [index, entry] of (schema as unknown[]).entries()) {
    const pairs = isRecord(entry) ? Object.entries(entry) : [];
    const [pair] = pairs;
    if (pair === undefined || pairs.length !== 1) {
      throw new TypeError(`${at}[${index}] must be an object with one name: { name: { type: 'string' } }`);
    }
    fields.push([pair[0], fieldOf(pair[1], `${at}.${pair[0]}`, depth)]);
  }
  return Object.fromEntries(fields);
}

function fieldOf(given: unknown, at: string, depth: number): Field {
  if (!isRecord(given)) throw new TypeError(`${at} must be a field: { type: 'string' }`);
  const { type } = given;
  const known = typeof type === 'string' ? KNOWN[type] : undefined;
  if (known === undefined) {
    throw new TypeError(`${at}: type ${JSON.stringify(type)} is none of ${Object.keys(KNOWN).join(', ')}`);
  }
  const unknown = Object.keys(given).filter(
    (name) => !known.includes(name) && !(COMMON as readonly string[]).includes(name),
  );
  if (unknown.length > 0) {
    throw new TypeError(
      `${at}: Sluice does not know ${unknown.map((name) => `'${name}'`).join(', ')} of a ${String(type)}`,
    );
  }
  return { ...given, ...inner(given, at, depth), ...rules(given, at) } as unknown as Field;
}

/** What lies in lists, maps and records. */
function inner(given: Given, at: string, depth: number): Given {
  const found: Record<string, unknown> = {};
  for (const name of ['elements', 'keys', 'values']) {
    const within = given['type'] === 'map' ? name !== 'elements' : name === 'elements';
    const isHolder = given['type'] === 'map' || given['type'] === 'array' || given['type'] === 'set';
    if (isHolder && within) found[name] = fieldOf(given[name], `${at}.${name}`, depth + 1);
  }
  if (given['type'] === 'record') found['fields'] = fieldsOf(given['fields'], at, depth + 1);
  return found;
}

/** Rules that are written in another way here. */
function rules(given: Given, at: string): Given {
  const made: Record<string, unknown> = {};
  const pattern = (value: unknown) => {
    if (typeof value !== 'string') throw new TypeError(`${at}: a pattern must be a string`);
    return { lua: value, js: luaPattern(value, at) };
  };
  if (given['match'] !== undefined) made['match'] = pattern(given['match']);
  for (const name of ['match_all', 'match_none']) {
    const list = given[name];
    if (list === undefined) continue;
    if (!Array.isArray(list)) throw new TypeError(`${at}.${name} must be a list`);
    made[name] = (list as Given[]).map(({ pattern: lua, err }) => ({ pattern: pattern(lua), err }));
  }
  const any = given['match_any'];
  if (isRecord(any)) made['match_any'] = { ...any, patterns: (any['patterns'] as unknown[]).map(pattern) };
  const most = given['len_max'];
  if (typeof most === 'number') {
    made['custom_validator'] = (value: string) =>
      Buffer.byteLength(value) > most ? `length must be at most ${most}` : null;
  }
  return made;
}

function isRecord(value: unknown): value is Given {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
