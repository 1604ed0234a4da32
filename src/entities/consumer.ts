/** Consumers (Kong's `consumers`): who calls. */
import type { Entity, EntityDefinition } from './schema/field.ts';
import * as t from './typedefs.ts';

const fields = {
  id: t.uuid,
  username: { type: 'string', unique: true },
  custom_id: { type: 'string', unique: true },
  tags: t.tags,
  created_at: t.timestamp,
  updated_at: t.timestamp,
} as const satisfies EntityDefinition['fields'];

export interface Consumer extends Entity<typeof fields> {}

export const consumers: EntityDefinition = {
  name: 'consumers',
  endpoint_key: 'username',
  fields,
  entity_checks: [{ at_least_one_of: ['custom_id', 'username'] }],
};
