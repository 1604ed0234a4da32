/**
 * Consumer groups, as Kong Enterprise has them (`consumer_groups`), and who is in which (`consumer_group_consumers`).
 * A membership is an entity of its own: it goes with either side, and no side's own fields change.
 */
import type { Entity, EntityDefinition } from './schema/field.ts';
import * as t from './typedefs.ts';

const fields = {
  id: t.uuid,
  name: { type: 'string', required: true, unique: true },
  tags: t.tags,
  created_at: t.timestamp,
  updated_at: t.timestamp,
} as const satisfies EntityDefinition['fields'];

export interface ConsumerGroup extends Entity<typeof fields> {}

export const consumerGroups: EntityDefinition = { name: 'consumer_groups', endpoint_key: 'name', fields };

const memberFields = {
  id: t.uuid,
  consumer_group: { type: 'foreign', reference: 'consumer_groups', required: true, on_delete: 'cascade' },
  consumer: { type: 'foreign', reference: 'consumers', required: true, on_delete: 'cascade' },
  tags: t.tags,
  created_at: t.timestamp,
  updated_at: t.timestamp,
} as const satisfies EntityDefinition['fields'];

export interface ConsumerGroupConsumer extends Entity<typeof memberFields> {}

/** The Admin API shows it from either side, never by itself. */
export const consumerGroupConsumers: EntityDefinition = {
  name: 'consumer_group_consumers',
  cache_key: ['consumer_group', 'consumer'],
  generate_admin_api: false,
  fields: memberFields,
};
