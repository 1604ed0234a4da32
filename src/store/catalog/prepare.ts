/** Steps between a client's input and a complete entity, beside validation: time to live, hashes, what is refused. */
import { notYet } from '../../entities/not-yet.ts';
import { MASK, mapSecrets, secretFields } from '../../entities/secrets.ts';
import type { Values } from '../../entities/schema/field.ts';
import type { Issue } from '../../entities/schema/issue.ts';
import type { KindIndex, UniqueIndex } from './kind-index.ts';

/** What a write says. */
export interface Given {
  readonly input: Values;
  /** Its secrets are hashed already. */
  readonly asStored: boolean;
}

export function withoutTtl(stored: Values): Values {
  if (!('ttl' in stored)) return stored;
  const { ttl: _, ...rest } = stored;
  return rest;
}

/** Seconds that are given → the second at which it ends. A patch without one keeps the time. */
export function expiry(given: unknown, stored: Values | null): number | null {
  if (typeof given === 'number') return given === 0 ? null : Math.ceil(Date.now() / 1000 + given);
  return given === undefined && stored !== null ? ((stored['ttl'] as number | null) ?? null) : null;
}

/** Hashes and normal forms; a secret that a patch does not give is hashed already, as it is where the write says so. */
export function transform(
  kind: KindIndex,
  entity: Record<string, unknown>,
  { input, asStored }: Given,
  stored: Values | null,
): void {
  kind.definition.transform?.(entity);
  for (const [name, field] of Object.entries(kind.definition.fields)) {
    if (field.type !== 'string' || field.encrypted !== true) continue;
    if (!Object.hasOwn(input, name)) {
      if (stored !== null) entity[name] = stored[name];
    } else if (asStored) entity[name] = input[name];
  }
}

/** Refused although valid: what Sluice cannot run yet. */
export function notYetIssues(kind: string, entity: Values): Issue[] {
  return notYet(kind, entity).map(({ path, message }) => ({ at: path, message }));
}

/** Is it the same but for the timestamps? Then nothing has changed, and no revision says so. */
export function sameContent(a: Values, b: Values): boolean {
  const text = (entity: Values): string =>
    JSON.stringify({ ...entity, created_at: undefined, updated_at: undefined });
  return text(a) === text(b);
}

/**
 * Who may not see secrets is shown a mask, and sends it back when it writes the whole entity. Stored, it would be a
 * secret that everybody knows.
 */
export function maskIssues(kind: KindIndex, entity: Values): Issue[] {
  const issues: Issue[] = [];
  mapSecrets(kind.definition, entity, (value, path) => {
    if (value === MASK) {
      const message = `${MASK} stands for a secret that was not shown: send the secret itself, or leave the field out of a PATCH to keep it`;
      issues.push({ at: [...path], message });
    }
    return value;
  });
  return issues;
}

/** The values of a unique index for an error message, which may end in anybody's log: secrets masked. */
export function shownValues(kind: KindIndex, index: UniqueIndex, entity: Values): Values {
  const secrets = new Set(secretFields(kind.definition, entity).map(([field]) => field));
  return Object.fromEntries(
    index.fields.map((field) => [field, secrets.has(field) ? MASK : (entity[field] ?? null)]),
  );
}
