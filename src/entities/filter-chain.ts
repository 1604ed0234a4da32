/** Filter chains (Kong's `filter_chains`): WebAssembly filters on a route or a service. */
import type { Entity, EntityDefinition } from './schema/field.ts';
import * as t from './typedefs.ts';

const fields = {
  id: t.uuid,
  name: t.utf8Name,
  enabled: { type: 'boolean', required: true, default: true },
  route: { type: 'foreign', reference: 'routes', on_delete: 'cascade', default: null, unique: true },
  service: { type: 'foreign', reference: 'services', on_delete: 'cascade', default: null, unique: true },
  filters: {
    type: 'array',
    required: true,
    len_min: 1,
    elements: {
      type: 'record',
      fields: {
        name: { type: 'string', required: true },
        enabled: { type: 'boolean', required: true, default: true },
        config: { type: 'json', required: false },
      },
    },
  },
  tags: t.tags,
  created_at: t.timestamp,
  updated_at: t.timestamp,
} as const satisfies EntityDefinition['fields'];

export interface FilterChain extends Entity<typeof fields> {}

export const filterChains: EntityDefinition = {
  name: 'filter_chains',
  endpoint_key: 'name',
  cache_key: ['route', 'service'],
  admin_api_name: 'filter-chains',
  fields,
  entity_checks: [{ mutually_exclusive: ['service', 'route'] }, { at_least_one_of: ['service', 'route'] }],
};
