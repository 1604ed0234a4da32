/** Claims: found by their path, compared with what is required. */
import type { Claims } from './config.ts';

/** The payload of a JWT, unverified; null: it is none. */
export function payloadOf(token: string | null): Claims | null {
  const part = token === null ? undefined : /^[\w-]+\.([\w-]+)\.[\w-]*$/.exec(token)?.[1];
  if (part === undefined) return null;
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Claims) : null;
  } catch {
    return null;
  }
}

/** @param path names that lead into objects. */
export function claimAt(claims: Claims | null, path: readonly string[]): unknown {
  let at: unknown = claims;
  for (const name of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as Claims)[name];
  }
  return at;
}

/** The first that has it. */
export function findClaim(sources: ReadonlyArray<Claims | null>, path: readonly string[]): unknown {
  for (const source of sources) {
    const value = claimAt(source, path);
    if (value !== undefined && value !== null) return value;
  }
  return undefined;
}

/** A text is taken apart at its spaces and commas, as scopes are written. */
export function listOf(claim: unknown): readonly string[] {
  if (typeof claim === 'string') return claim.split(/[ ,]+/).filter((value) => value !== '');
  if (!Array.isArray(claim)) return [];
  return claim.filter((value): value is string => typeof value === 'string');
}

/** One of `required` is there with all that stands in it. */
export function hasOneOf(claim: unknown, required: readonly string[] | null): boolean {
  if (required === null || required.length === 0) return true;
  const values = new Set(listOf(claim));
  return required.some((text) => {
    const names = text.split(' ').filter((name) => name !== '');
    return names.length > 0 && names.every((name) => values.has(name));
  });
}
