/** What the one who asks may write and see, entity by entity. */
import { maskSecrets } from '../../../entities/secrets.ts';
import type { Values } from '../../../entities/schema/field.ts';
import type { Judge, Write } from '../../../store/config-store.ts';
import { changeDenial, denial, type Principal } from '../../access/principal.ts';
import { definitionOf } from '../kinds.ts';
import { RequestError } from '../request-error.ts';

/**
 * Before a write is even looked at: what somebody may write nothing of tells them nothing. Whether this very entity may
 * be written says the judge, when the store has both ends of the change.
 * @throws RequestError 403
 */
export function checkKind(principal: Principal | null, { kind }: Write): void {
  const refused = denial(principal, { operation: 'write', kind });
  if (refused !== null) throw new RequestError(403, refused);
}

/** Asked by the store for each change of a commit; null for those without limits. */
export function judgeOf(principal: Principal | null): Judge | null {
  if (principal === null || principal.role === 'admin') return null;
  const { role, kinds, tags } = principal;
  if (role === 'write' && kinds === null && tags === null) return null;
  return ({ kind, before, after }) => changeDenial(principal, kind, before, after);
}

/** May it write anything at all? What exactly is asked for each write. @throws RequestError 403 */
export function checkWriter(principal: Principal | null): void {
  const refused = denial(principal, { operation: 'write', kind: principal?.kinds?.[0] ?? 'services' });
  if (refused !== null) throw new RequestError(403, refused);
}

export function maySeeSecrets(principal: Principal | null, kind: string): boolean {
  return denial(principal, { operation: 'read', kind, secrets: true }) === null;
}

/** The entity, its secrets masked for those who may not see them. */
export function shown(principal: Principal | null, kind: string, entity: Values): Values {
  return maySeeSecrets(principal, kind) ? entity : maskSecrets(definitionOf(kind), entity);
}
