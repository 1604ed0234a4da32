/** What is refused of a valid entity, and what of it is told. */
import { notYet } from '../../entities/not-yet.ts';
import { MASK, mapSecrets, secretFields } from '../../entities/secrets.ts';
import type { Values } from '../../entities/schema/field.ts';
import type { Issue } from '../../entities/schema/issue.ts';
import type { KindIndex, UniqueIndex } from './kind-index.ts';

/** Refused although valid: what Sluice cannot run yet. */
export function notYetIssues(kind: string, entity: Values): Issue[] {
  return notYet(kind, entity).map(({ path, message }) => ({ at: path, message }));
}

/**
 * Is it the same but for the timestamps that the store makes? Then nothing has changed, and no revision says so.
 * @param dated `created_at` is the client's.
 */
export function sameContent(a: Values, b: Values, dated: boolean): boolean {
  const made = dated ? { updated_at: undefined } : { created_at: undefined, updated_at: undefined };
  const text = (entity: Values): string => JSON.stringify({ ...entity, ...made });
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
    index.fields
      // Kong Enterprise's; Kong's own message does not know it.
      .filter((field) => field !== 'consumer_group' || entity[field] !== null)
      .map((field) => [field, secrets.has(field) ? MASK : (entity[field] ?? null)]),
  );
}
