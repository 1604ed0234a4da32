/**
 * Kinds of entity that a plugin brings (docs/adr/0048-plugin-entities.md): from a description come validation, the Admin
 * API's endpoints, `/schemas/NAME`, tables of the store, declarative files, and look-ups in the workers.
 */
import type { Entity, EntityCheck, EntityDefinition, Fields, Values } from './schema/field.ts';
import * as t from './typedefs.ts';

/** What every kind has: a plugin does not describe it, and its fields have other names. */
const ADDED = {
  id: t.uuid,
  tags: t.tags,
  created_at: t.timestamp,
  updated_at: t.timestamp,
} as const satisfies Fields;

export interface PluginEntity<F extends Fields = Fields> {
  /** Kong's name of the kind, plural: `quotas`. Its list is at `/quotas`, and in declarative files it is this key. */
  readonly name: string;
  /** One sentence for people. */
  readonly description?: string;
  /**
   * Beside `id`, `tags`, `created_at` and `updated_at`, which are added. Fields of type `foreign` refer to consumers,
   * consumer_groups, services or routes, or to a kind above this one in the plugin's list.
   */
  readonly fields: F;
  /** The field by which one may be named instead of its id (`/quotas/gold`): a string, `unique: true`. */
  readonly endpointKey?: string;
  /** The `foreign` field by whose value entities are listed in workers; the first one unless said. */
  readonly owner?: string;
  /** Path segment of the Admin API when it is not the name, and that below what a field refers to. */
  readonly path?: string;
  readonly nestedPath?: string;
  /** Fields whose values together no two of the kind may share. */
  readonly uniqueTogether?: readonly string[];
  /** Entities may have a `ttl`: seconds after which they are gone. */
  readonly ttl?: true;
  /** Rules across fields. */
  readonly checks?: readonly EntityCheck[];
}

/** An entity as its plugin finds it: every field present, unset ones null. */
export type PluginEntityOf<F extends Fields> = Entity<F> &
  Entity<typeof ADDED> & {
    /** Seconds that are left to it; of a kind with `ttl`. */
    readonly ttl?: number | null;
  };

/** Keeps the types of the fields exactly as they are written. */
export function describeEntity<const F extends Fields>(description: PluginEntity<F>): PluginEntity<F> {
  return description;
}

/** A kind as a thread knows it. */
export interface PluginKind {
  readonly plugin: string;
  readonly description: PluginEntity;
  readonly definition: EntityDefinition;
}

/** Characters of an entity as JSON: workers decode it as a whole. */
const MAX_ENTITY = 64 * 1024;
const tooLarge = `an entity of a plugin may have ${MAX_ENTITY} characters as JSON`;

export function pluginKind(plugin: string, description: PluginEntity): PluginKind {
  const { name, fields, endpointKey, path, nestedPath, uniqueTogether, ttl, checks = [] } = description;
  const { id, ...after } = ADDED;
  const bound: EntityCheck = {
    custom_entity_check: {
      field_sources: [],
      fn: (entity) => (JSON.stringify(entity).length > MAX_ENTITY ? tooLarge : null),
    },
  };
  const definition: EntityDefinition = {
    name,
    fields: { id, ...fields, ...after },
    entity_checks: [...checks, bound],
    ...(endpointKey === undefined ? {} : { endpoint_key: endpointKey }),
    ...(path === undefined ? {} : { admin_api_name: path }),
    ...(nestedPath === undefined ? {} : { admin_api_nested_name: nestedPath }),
    ...(uniqueTogether === undefined ? {} : { cache_key: uniqueTogether }),
    ...(ttl === undefined ? {} : { ttl }),
  };
  return { plugin, description, definition };
}

/** The names of fields that a description may not use. */
export const ADDED_FIELDS: ReadonlySet<string> = new Set([...Object.keys(ADDED), 'ttl']);

const live = new Map<string, PluginKind>();
let generation = 0;

/** In place of those that the plugin had. */
export function setEntitiesOf(plugin: string, descriptions: readonly PluginEntity[]): void {
  const old = live.values().filter((kind) => kind.plugin === plugin);
  const before = new Set([...old].map(({ description }) => description.name));
  if (before.size === 0 && descriptions.length === 0) return;
  for (const name of before) live.delete(name);
  for (const one of descriptions) live.set(one.name, pluginKind(plugin, one));
  generation++;
}

/** All kinds of the plugins that this thread has; those of one plugin in their order. */
export function pluginKinds(): ReadonlyMap<string, PluginKind> {
  return live;
}

/** Another number after each change of what `pluginKinds` answers. */
export function kindsGeneration(): number {
  return generation;
}

/** Something that follows from the kinds that there are: made when it is asked for after they have changed. */
export function fromKinds<T>(make: () => T): () => T {
  let made: { readonly generation: number; readonly value: T } | null = null;
  return () => {
    if (made?.generation !== generation) made = { generation, value: make() };
    return made.value;
  };
}

/**
 * A stored entity of a plugin's kind as the description of now has it: fields that came since have their defaults, and
 * those that are gone are not shown. What is stored stays as it is until somebody writes it.
 */
export function asDescribed(kind: string, entity: Values): Values {
  const definition = live.get(kind)?.definition;
  if (definition === undefined) return entity;
  const shown: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(definition.fields)) {
    shown[name] = entity[name] ?? ('default' in field ? field.default : null) ?? null;
  }
  if (definition.ttl === true) shown['ttl'] = entity['ttl'] ?? null;
  return shown;
}
