/**
 * What somebody may do with the Admin API. Whole endpoints ask `denial` before they begin; the writer of entities asks
 * `changeDenial` for each, because a grant that is limited by tags depends on what the entity carries before and after.
 *
 * - `read` reads everything but secrets.
 * - `write` reads everything, the secrets of the kinds that it may write among it (who may replace a key and must keep
 *   the others in step, as decK does, has to see them), and writes entities: all, or of some kinds, or with a tag. What
 *   changes the configuration as a whole (`POST /config`, restoring a revision) needs one without limits.
 * - `admin` does everything, also to the node itself.
 */
import type { Values } from '../../entities/schema/field.ts';
import type { Role } from './token-store.ts';

export interface Principal {
  /** Author of what it changes. */
  readonly name: string;
  readonly role: Role;
  readonly kinds: readonly string[] | null;
  readonly tags: readonly string[] | null;
}

/** What is no kind of entity. */
export const WHOLE = 'configuration';
export const NODE = 'node';

export interface Action {
  readonly operation: 'read' | 'write';
  /** Kong's name of the entity, `services`; `WHOLE`, the configuration as such; `NODE`, the process. */
  readonly kind: string;
  /** Of the entity. Left out when it is not known yet: then `changeDenial` has to follow. */
  readonly tags?: readonly string[];
  /** Reads secrets in clear. */
  readonly secrets?: boolean;
}

/** @param principal null: nobody has to say who they are. @returns why not, for the answer; null: it may. */
export function denial(principal: Principal | null, action: Action): string | null {
  if (principal === null || principal.role === 'admin') return null;
  const { name, role, kinds, tags } = principal;
  const { operation, kind } = action;
  if (operation === 'read' && action.secrets !== true) return null;
  if (role === 'read') {
    return `'${name}' may only read${operation === 'read' ? ', and no secrets' : ''}`;
  }
  if (kind === NODE)
    return operation === 'read' ? null : `'${name}' may not change the node: that needs the role admin`;
  if (kind === WHOLE) {
    const limited = kinds !== null || tags !== null;
    return limited
      ? `'${name}' is limited to ${limits(principal)} and may not change the configuration as a whole`
      : null;
  }
  if (kinds !== null && !kinds.includes(kind))
    return `'${name}' may write only ${kinds.join(', ')}, not ${kind}`;
  if (tags === null || action.tags === undefined) return null;
  const tagged = action.tags.some((tag) => tags.includes(tag));
  return tagged ? null : `'${name}' may write only entities with ${limits({ kinds: null, tags })}`;
}

/** For each entity that is written: what it was, null when it is new, and what it will be, null when it goes. */
export function changeDenial(
  principal: Principal | null,
  kind: string,
  before: Values | null,
  after: Values | null,
): string | null {
  for (const entity of [before, after]) {
    if (entity === null) continue;
    const refused = denial(principal, { operation: 'write', kind, tags: tagsOf(entity) });
    if (refused !== null) return refused;
  }
  return null;
}

function tagsOf(entity: Values): readonly string[] {
  const tags = entity['tags'];
  return Array.isArray(tags) ? tags.filter((tag) => typeof tag === 'string') : [];
}

function limits({ kinds, tags }: Pick<Principal, 'kinds' | 'tags'>): string {
  const parts: string[] = [];
  if (kinds !== null) parts.push(kinds.join(', '));
  if (tags !== null) parts.push(`the tag ${tags.join(' or ')}`);
  return parts.join(' with ');
}
