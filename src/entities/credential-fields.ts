/** What all credentials of a consumer have in common. */
import type { Fields } from './schema/field.ts';
import * as t from './typedefs.ts';

export const consumerOwned = {
  id: t.uuid,
  created_at: t.timestamp,
  consumer: { type: 'foreign', reference: 'consumers', required: true, on_delete: 'cascade' },
  tags: t.tags,
} as const satisfies Fields;
