/** Workspaces (Kong's `workspaces`): only the default one exists; a file may name it. */
import type { Entity, EntityDefinition } from './schema/field.ts';
import * as t from './typedefs.ts';

/** The id of the workspace `default` where none is given. */
export const DEFAULT_WORKSPACE_ID = '0dc6f45b-8f8d-40d2-a504-473544ee190b';

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
  fields,
};
