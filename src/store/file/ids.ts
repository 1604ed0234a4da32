/**
 * Ids of entities that the file does not number: UUIDs version 5, so that a reload, another node, and Kong itself
 * give the same entity the same id.
 *
 * Kong's rule: the namespace is v5 of the entity's kind below a fixed namespace; the name is the cache key where the
 * kind has one (`plugins:*:key-auth:route::`, `*` being the workspace), else the endpoint key. Where Kong would take a
 * random id (no name, or a key that is generated), the id here comes from the entity's content: a random one would
 * turn every reload of an unchanged file into a change.
 */
import { hash } from 'node:crypto';
import type { Values } from '../../entities/schema/field.ts';
import type { Item } from './items.ts';

const ROOT = Buffer.from('fd02801f09574a15a55ac8d9606f30b5', 'hex');
const WORKSPACE = '*';

/** Kong OSS has no such field: without a value it is no part of a name, so that ids stay those of Kong. */
const BEYOND_KONG: ReadonlySet<string> = new Set(['consumer_group']);

const namespaces = new Map<string, Buffer>();

function uuid5(namespace: Buffer, name: string): Buffer {
  const digest = hash('sha1', Buffer.concat([namespace, Buffer.from(name)]), 'buffer').subarray(0, 16);
  digest[6] = ((digest[6] ?? 0) & 0x0f) | 0x50;
  digest[8] = ((digest[8] ?? 0) & 0x3f) | 0x80;
  return digest;
}

/** `key` of a kind → its id. */
export function deriveId(kind: string, key: string): string {
  let namespace = namespaces.get(kind);
  if (namespace === undefined) namespaces.set(kind, (namespace = uuid5(ROOT, kind)));
  const hex = uuid5(namespace, key).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** The name from which the id is derived, or null when nothing names the entity. */
export function idKey(item: Item): string | null {
  const { definition } = item.kind;
  const cache = definition.cache_key === undefined ? null : cacheKey(item, definition.cache_key);
  if (cache !== null) return cache;
  // A key that is generated when missing makes Kong 3's ids random; given, it names the entity, as it did in Kong 2.
  const endpoint = definition.endpoint_key === undefined ? undefined : item.raw[definition.endpoint_key];
  return typeof endpoint === 'string' ? endpoint : null;
}

function cacheKey(item: Item, names: readonly string[]): string | null {
  const { kind, raw, parent, parentField } = item;
  const parts = [kind.name, WORKSPACE];
  for (const name of names) {
    const value = raw[name];
    const field = kind.definition.fields[name];
    if (field?.auto === true) return null;
    if (typeof value === 'string') {
      parts.push(value);
    } else if (value === undefined) {
      if (name === parentField && parent !== null) parts.push(parent.id);
      else if (field?.required === true) return null;
      else if (!BEYOND_KONG.has(name)) parts.push('');
    } else if (value !== null) {
      // Kong leaves a reference written as a table out, so that two such plugins get one id; here it counts.
      parts.push(JSON.stringify(value));
    }
  }
  return parts.join(':');
}

/**
 * Ids from content. Nested and flat forms of one entity give the same; equal entities are numbered in their order.
 * `references` are the ids that the entity refers to, by field.
 */
export class ContentIds {
  readonly #seen = new Map<string, number>();

  idOf(item: Item, references: ReadonlyMap<string, string>): string {
    const { kind, raw } = item;
    const content: Record<string, unknown> = {};
    for (const key of Object.keys(raw).sort()) {
      if (!kind.extraKeys.has(key) && raw[key] !== null) content[key] = raw[key];
    }
    for (const [field, id] of references) content[field] = id;
    const key = contentKey(content);
    const id = deriveId(kind.name, `#${key}`);
    const count = (this.#seen.get(id) ?? 0) + 1;
    this.#seen.set(id, count);
    return count === 1 ? id : deriveId(kind.name, `#${count}${key}`);
  }
}

function contentKey(content: Values): string {
  return JSON.stringify(Object.entries(content).sort(([a], [b]) => (a < b ? -1 : 1)));
}
