/** What people call an entity: `route orders (service shop)`. Secrets are not in it. */
import { type ConfigKind, configKind, idOf } from './kinds.ts';
import type { Entity } from './state.ts';

/** Entity of a kind by id, wherever it is known from. */
export type Lookup = (kind: ConfigKind, id: string) => Entity | null;

/** The parents are named where the entity means little without them. */
export function labelOf(kind: ConfigKind, entity: Entity, lookup: Lookup): string {
  if (kind.name === 'consumer_group_consumers') {
    const member = parentText('consumer', 'consumers', entity, lookup);
    return `${member ?? 'member'} in ${parentText('consumer_group', 'consumer_groups', entity, lookup) ?? 'group'}`;
  }
  const parents = kind.nestedBy.flatMap((field) => {
    const text = parentText(field, kind.references[field] ?? '', entity, lookup);
    return text === null ? [] : [text];
  });
  const own = `${kind.singular} ${nameOf(kind, entity)}`;
  return parents.length === 0 ? own : `${own} (${parents.join(', ')})`;
}

function parentText(field: string, kind: string, entity: Entity, lookup: Lookup): string | null {
  const id = idOf(entity[field]);
  if (id === null) return null;
  const of = configKind(kind);
  const parent = lookup(of, id);
  return `${of.singular} ${parent === null ? id : nameOf(of, parent)}`;
}

const NAMES: Readonly<Record<string, readonly string[]>> = {
  plugins: ['name'],
  targets: ['target'],
  acls: ['group'],
  consumers: ['username', 'custom_id'],
  keys: ['name', 'kid'],
};

/** Falls back to the id. */
export function nameOf(kind: ConfigKind, entity: Entity): string {
  const names = NAMES[kind.name] ?? (kind.key === null ? [] : [kind.key]);
  for (const name of names) {
    const value = entity[name];
    // Masked values name nothing.
    if (typeof value !== 'string' || /^\*+$/.test(value)) continue;
    if (kind.secrets.includes(name)) return `${value.slice(0, 4)}…`;
    return name === 'custom_id' ? `with custom_id ${printable(value)}` : printable(value);
  }
  return typeof entity['id'] === 'string' ? entity['id'] : '';
}

/** Names come from elsewhere: what would steer a terminal is written as JSON may write it. */
export function printable(text: string): string {
  return text.replaceAll(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (char) => `\\u${(char.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  );
}
