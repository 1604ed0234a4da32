/** Key sets (Kong's `key_sets`). */
import type { Entity, EntityDefinition } from './schema/field.ts';
import * as t from './typedefs.ts';

const fields = {
  id: t.uuid,
  name: { type: 'string', required: false, unique: true },
  tags: t.tags,
  created_at: t.timestamp,
  updated_at: t.timestamp,
} as const satisfies EntityDefinition['fields'];

export interface KeySet extends Entity<typeof fields> {}

export const keySets: EntityDefinition = {
  name: 'key_sets',
  endpoint_key: 'name',
  admin_api_name: 'key-sets',
  fields,
};
