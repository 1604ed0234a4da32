/** Workspaces (Kong's `workspaces`): only the default one exists; a file may name it. */
import type { Entity, EntityDefinition } from './schema/field.ts';
import * as t from './typedefs.ts';

const fields = {
  id: t.uuid,
  name: { ...t.utf8Name, required: true },
  comment: { type: 'string' },
  meta: { type: 'record', fields: {} },
  config: { type: 'record', fields: {} },
  created_at: t.timestamp,
  updated_at: t.timestamp,
} as const satisfies EntityDefinition['fields'];

export interface Workspace extends Entity<typeof fields> {}

export const workspaces: EntityDefinition = {
  name: 'workspaces',
  endpoint_key: 'name',
  cache_key: ['name'],
  generate_admin_api: false,
  fields,
};
