/** Vaults (Kong's `vaults`): where `{vault://…}` references are resolved. */
import type { Entity, EntityDefinition, EntityVariant } from './schema/field.ts';
import * as t from './typedefs.ts';

/** Kinds of vault that exist. */
const VAULTS = ['env'] as const;

const fields = {
  id: t.uuid,
  prefix: {
    type: 'string',
    required: true,
    unique: true,
    unique_across_ws: true,
    match: t.pattern('^[a-z][a-z%d-]-[a-z%d]+$', /^[a-z][a-z0-9-]*?[a-z0-9]+$/),
    not_one_of: VAULTS,
  },
  name: { type: 'string', required: true },
  description: { type: 'string' },
  config: { type: 'record', abstract: true, fields: {} },
  tags: t.tags,
  created_at: t.timestamp,
  updated_at: t.timestamp,
} as const satisfies EntityDefinition['fields'];

export interface Vault extends Entity<typeof fields> {}

const env: EntityVariant = {
  fields: {
    config: {
      type: 'record',
      required: true,
      fields: {
        prefix: {
          type: 'string',
          match: t.pattern('^[%a_-][%a%d_-]*$', /^[A-Za-z_-][A-Za-z0-9_-]*$/),
        },
      },
    },
  },
  entity_checks: [],
};

export const vaults: EntityDefinition = {
  name: 'vaults',
  endpoint_key: 'prefix',
  cache_key: ['prefix'],
  fields,
  subschemas: new Map([['env', env]]),
  subschema_key: 'name',
  subschema_error: (name) =>
    typeof name !== 'string' || (VAULTS as readonly string[]).includes(name)
      ? null
      : `vault '${name}' is not installed`,
  variants: (input) => (input['name'] === 'env' ? env : null),
};
