/** What is sent of an entity for each kind of change. */
import type { Difference } from './compare.ts';
import type { ConfigKind } from './kinds.ts';
import { isObject } from './server.ts';
import type { Entity } from './state.ts';

export function inputOf(kind: ConfigKind, given: Entity, id: string): Entity {
  return kind.name === 'consumer_group_consumers' ? given : { ...given, id };
}

/** A whole entity, with what the server made up and the file does not say. */
export function replacement(given: Entity, form: Entity, current: Entity): Entity {
  const kept: Record<string, unknown> = {};
  for (const name of ['created_at', 'ttl', 'secret', 'key', 'client_id', 'client_secret']) {
    const value = form[name] ?? current[name];
    if (value !== undefined && value !== null) kept[name] = value;
  }
  return { ...kept, ...given };
}

export function changed(found: readonly Difference[], form: Entity): Entity {
  const names = new Set(found.map(({ path }) => path.split('.')[0] ?? path));
  return Object.fromEntries([...names].map((name) => [name, form[name] ?? null]));
}

export function laidOver(base: unknown, top: unknown): unknown {
  if (top === undefined || top === null) return base;
  if (!isObject(base) || !isObject(top)) return top;
  const names = new Set([...Object.keys(base), ...Object.keys(top)]);
  return Object.fromEntries(
    [...names].map((name) => [name, Object.hasOwn(top, name) ? laidOver(base[name], top[name]) : base[name]]),
  );
}

export function otherName(kind: ConfigKind, id: string): Entity {
  const renamed = { [String(kind.key)]: `replaced-${id}` };
  return kind.name === 'consumers' ? { ...renamed, custom_id: null } : renamed;
}
