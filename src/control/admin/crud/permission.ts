/** What the one who asks may write and see, entity by entity. */
import { maskSecrets } from '../../../entities/secrets.ts';
import type { Values } from '../../../entities/schema/field.ts';
import type { ConfigStore, Write } from '../../../store/config-store.ts';
import { changeDenial, denial, type Principal } from '../../access/principal.ts';
import { definitionOf } from '../kinds.ts';
import { RequestError } from '../request-error.ts';

/**
 * Judges by what is committed and by what the write says. What an earlier write of the same commit has made counts as
 * new, so that its tags must be said again: this refuses too much rather than too little.
 * @throws RequestError 403
 */
export function checkWrite(principal: Principal | null, store: ConfigStore, write: Write): void {
  if (principal === null || principal.role === 'admin') return;
  const select = write.op === 'create' ? idOf(write.input) : write.select;
  const before = select === null ? null : store.get(write.kind, select);
  const refused = changeDenial(principal, write.kind, before, afterOf(write, before));
  if (refused !== null) throw new RequestError(403, refused);
}

function idOf(input: Values): { readonly id: string } | null {
  const id = Object.hasOwn(input, 'id') ? input['id'] : null;
  return typeof id === 'string' ? { id } : null;
}

function afterOf(write: Write, before: Values | null): Values | null {
  if (write.op === 'delete') return null;
  const given = Object.hasOwn(write.input, 'tags') ? { tags: write.input['tags'] } : {};
  return write.op === 'patch' && before !== null ? { tags: before['tags'], ...given } : given;
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
