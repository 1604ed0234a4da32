/** Groups of consumers (Kong's `acls`, plugin acl). */
import type { Entity, EntityDefinition } from './schema/field.ts';
import { consumerOwned } from './credential-fields.ts';

const fields = {
  ...consumerOwned,
  group: { type: 'string', required: true },
} as const satisfies EntityDefinition['fields'];

export interface Acl extends Entity<typeof fields> {}

export const acls: EntityDefinition = { name: 'acls', cache_key: ['consumer', 'group'], fields };
