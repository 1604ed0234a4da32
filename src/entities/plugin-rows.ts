/**
 * Entities of plugins in the node's directory. All their kinds are one kind there, whose rows name the kind and have its
 * unique values as texts with the kind and the field in front: so the directory's layout, which numbers kinds and fields and
 * which all threads must agree on, is the same whatever plugins come and go.
 *
 * An id of a row is a hash of kind and id, since two kinds may have the same ids. Lists by owner are by the owner's id with
 * bits of the kind laid over it; who finds them compares the kind.
 */
import { createHash } from 'node:crypto';
import type { DirectoryKind } from '../zone/directory/row-kind.ts';
import type { PluginKind } from './plugin-entities.ts';
import type { Values } from './schema/field.ts';

export const PLUGIN_ROWS = 'plugin_entities';
/** Unique fields of a kind, `id` not counted. */
export const MAX_UNIQUE_FIELDS = 8;

export interface PluginRow {
  readonly id: string;
  readonly owner: { readonly id: string };
  readonly kind: string;
  readonly entity: Values;
  readonly ttl: number | null;
}

const SLOTS = Array.from({ length: MAX_UNIQUE_FIELDS + 1 }, (_, slot) => `u${slot}`);

export const PLUGIN_ROW_KIND: DirectoryKind = {
  name: PLUGIN_ROWS,
  fields: ['id', 'owner', 'kind', ...SLOTS, 'entity', 'ttl'],
  uniques: SLOTS,
  owner: 'owner',
  ttl: true,
};

/** Where a kind's entities are found by a field: its number among the unique ones. The id is the first. */
export function slotsOf({ definition }: PluginKind): ReadonlyMap<string, string> {
  const fields = Object.entries(definition.fields).filter(([, { unique }]) => unique === true);
  const names = ['id', ...fields.map(([name]) => name)];
  return new Map(names.map((name, at) => [name, `u${at}`]));
}

function ownerField({ description, definition }: PluginKind): string | null {
  if (description.owner !== undefined) return description.owner;
  return Object.entries(definition.fields).find(([, { type }]) => type === 'foreign')?.[0] ?? null;
}

/** What rows are made of beside the entity: another value when those that are there are not right any more. */
export function layoutOf(kind: PluginKind): unknown {
  const { name, fields, ttl } = kind.definition;
  const defaults = Object.entries(fields).map(([field, one]) => [
    field,
    'default' in one ? one.default : null,
  ]);
  return [name, [...slotsOf(kind)], ownerField(kind), defaults, ttl ?? false];
}

export function slotText(kind: string, field: string, value: string): string {
  return `${kind} ${field} ${value}`;
}

/** @param entity complete, of the kind. */
export function rowOf(kind: PluginKind, entity: Values): Values {
  const { name } = kind.definition;
  const id = String(entity['id']).toLowerCase();
  const row: Record<string, unknown> = { id: rowId(name, id), kind: name, ttl: entity['ttl'] ?? null };
  const owner = entity[ownerField(kind) ?? ''] as { readonly id: string } | null | undefined;
  // One that belongs to nothing is a list of its own.
  row['owner'] = { id: owner == null ? row['id'] : listId(name, owner.id) };
  for (const [field, slot] of slotsOf(kind)) {
    const value: unknown = field === 'id' ? id : entity[field];
    if (typeof value === 'string') row[slot] = slotText(name, field, value);
  }
  row['entity'] = entity;
  return row;
}

export function rowId(kind: string, id: string): string {
  const octets = createHash('sha256').update(`${kind}\n${id.toLowerCase()}`).digest();
  return uuidText(octets);
}

const masks = new Map<string, Buffer>();
const MAX_MASKS = 1024;

/** By which the entities of a kind that belong to `id` are listed. @param id anything: what is no UUID lists nothing. */
export function listId(kind: string, id: string): string {
  const octets = Buffer.from(id.replaceAll('-', ''), 'hex');
  if (octets.length !== 16) return '';
  let mask = masks.get(kind);
  if (mask === undefined) {
    if (masks.size >= MAX_MASKS) masks.clear();
    masks.set(kind, (mask = createHash('sha256').update(kind).digest()));
  }
  for (let at = 0; at < 16; at++) octets[at]! ^= mask[at]!;
  return uuidText(octets);
}

function uuidText(octets: Buffer): string {
  const hex = octets.toString('hex', 0, 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
