/**
 * JSON bodies: UTF-8 that is UTF-8, nesting with a bound (what is behind this recurses), strings that can be encoded
 * again. Keys such as `__proto__` become plain properties of the value (`JSON.parse` defines them), never a prototype.
 */
import { isUtf8 } from 'node:buffer';
import type { Values } from '../../../entities/schema/field.ts';
import { measureJson } from '../../../store/file/json-scan.ts';

const MAX_DEPTH = 200;

/** Null: no JSON object. */
export function parseObject(bytes: Uint8Array): Values | null {
  if (!isUtf8(bytes)) return null;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  if (measureJson(text, MAX_DEPTH).tooDeepAt !== null) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  // Only an escape can make half a character.
  return /\\u[dD]/.test(text) && !isWellFormed(value) ? null : (value as Values);
}

function isWellFormed(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed();
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([key, one]) => key.isWellFormed() && isWellFormed(one));
}
