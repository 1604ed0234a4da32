/** Whether descriptions of fields are such: no compiler has looked at them. */
import type { Fields } from '../../entities/schema/field.ts';

export type Loose = Readonly<Record<string, unknown>>;

const FIELD_TYPES: ReadonlySet<unknown> = new Set([
  'string',
  'integer',
  'number',
  'boolean',
  'array',
  'set',
  'map',
  'record',
  'json',
]);
const MAX_DEPTH = 32;

export function fieldsProblem(fields: unknown, at: string, depth: number): string | null {
  if (depth > MAX_DEPTH) return `${at}: more than ${MAX_DEPTH} fields in each other`;
  if (!isRecord(fields)) return `${at} is no object of fields`;
  for (const [name, field] of Object.entries(fields as Fields)) {
    const problem = fieldProblem(field, `${at}.${name}`, depth);
    if (problem !== null) return problem;
  }
  return null;
}

function fieldProblem(field: unknown, at: string, depth: number): string | null {
  if (depth > MAX_DEPTH) return `${at}: more than ${MAX_DEPTH} fields in each other`;
  if (!isRecord(field)) return `${at} is no field: { type: 'string', … }`;
  const { type } = field;
  if (!FIELD_TYPES.has(type)) {
    return `${at}: type ${shown(type)} is none of ${[...FIELD_TYPES].join(', ')}`;
  }
  if (type === 'record') return fieldsProblem(field['fields'], at, depth + 1);
  const inner = type === 'map' ? ['keys', 'values'] : type === 'array' || type === 'set' ? ['elements'] : [];
  for (const name of inner) {
    const problem = fieldProblem(field[name], `${at}.${name}`, depth + 1);
    if (problem !== null) return problem;
  }
  return null;
}

export function isRecord(value: unknown): value is Loose {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function shown(value: unknown): string {
  if (typeof value === 'string') return `'${value.slice(0, 100)}'`;
  return value === undefined ? '(nothing)' : `(a ${typeof value})`;
}
