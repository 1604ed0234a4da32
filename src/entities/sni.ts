/** SNIs (Kong's `snis`): which certificate a server name gets. */
import type { Entity, EntityDefinition } from './schema/field.ts';
import * as t from './typedefs.ts';

const fields = {
  id: t.uuid,
  name: { ...t.wildcardHost, required: true, unique: true, unique_across_ws: true },
  tags: t.tags,
  certificate: { type: 'foreign', reference: 'certificates', required: true },
  created_at: t.timestamp,
  updated_at: t.timestamp,
} as const satisfies EntityDefinition['fields'];

export interface Sni extends Entity<typeof fields> {}

export const snis: EntityDefinition = { name: 'snis', endpoint_key: 'name', fields };
