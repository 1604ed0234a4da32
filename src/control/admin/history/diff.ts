/** What a commit did, entity by entity. */
import { isDeepStrictEqual } from 'node:util';
import { maskSecrets } from '../../../entities/secrets.ts';
import type { Values } from '../../../entities/schema/field.ts';
import type { Change } from '../../../store/config-store.ts';
import type { Principal } from '../../access/principal.ts';
import { maySeeSecrets } from '../crud/permission.ts';
import { definitionOf, isKind } from '../kinds.ts';

/**
 * @param principal who asks: without the right it sees that a secret has changed, and not what it was or is. Without
 * authentication nobody is known to have it.
 */
export function describeChange(change: Change, principal: Principal | null): Record<string, unknown> {
  const { kind, id, before, after } = change;
  const secrets = principal !== null && maySeeSecrets(principal, kind);
  const show = (entity: Values | null): Values | null =>
    entity === null || secrets ? entity : masked(kind, entity);
  const shown = { before: show(before), after: show(after) };
  const key = isKind(kind) ? definitionOf(kind).endpoint_key : undefined;
  const entity = shown.after ?? shown.before;
  return {
    kind,
    id,
    name: key === undefined || entity === null ? null : (entity[key] ?? null),
    op: before === null ? 'create' : after === null ? 'delete' : 'update',
    // Of what is masked it is told that it has changed, too.
    fields: before === null || after === null ? [] : changedFields(before, after, ''),
    ...shown,
  };
}

/** What is secret of a kind whose plugin is gone nobody knows: of such an entity its id is told. */
function masked(kind: string, entity: Values): Values {
  return isKind(kind) ? maskSecrets(definitionOf(kind), entity) : { id: entity['id'] };
}

/** Paths of fields whose values differ; of records those within. */
function changedFields(before: Values, after: Values, prefix: string): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].sort().flatMap((name): string[] => {
    const a = Object.hasOwn(before, name) ? before[name] : undefined;
    const b = Object.hasOwn(after, name) ? after[name] : undefined;
    if (isDeepStrictEqual(a, b)) return [];
    return isRecord(a) && isRecord(b) ? changedFields(a, b, `${prefix}${name}.`) : [prefix + name];
  });
}

function isRecord(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
