/** Vaults (Kong's `vaults`): where `{vault://…}` references are resolved. */
import type { Entity, EntityDefinition, EntityVariant } from './schema/field.ts';
import * as t from './typedefs.ts';

/** Kinds of vault that exist. */
const VAULTS = ['env', 'file'] as const;

const fields = {
  id: t.uuid,
  prefix: {
    type: 'string',
    required: true,
    unique: true,
    unique_across_ws: true,
    match: t.pattern('^[a-z][a-z%d-]-[a-z%d]+$', /^[a-z][a-z0-9-]*[a-z0-9]$/),
    // Kong's kinds alone: a vault of Kong's users may be called `file`.
    not_one_of: ['env'],
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

/** Files below a folder of `vault_file_base`; Sluice's own. */
const file: EntityVariant = {
  fields: {
    config: {
      type: 'record',
      required: true,
      fields: {
        prefix: {
          type: 'string',
          match_none: [
            { pattern: t.pattern('%.%.', /(?:^|\/)\.\.?(?:\/|$)/), err: 'must not leave the folder' },
          ],
        },
        ttl: t.ttl,
        neg_ttl: t.ttl,
        resurrect_ttl: t.ttl,
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
  subschemas: new Map([
    ['env', env],
    ['file', file],
  ]),
  subschema_key: 'name',
  subschema_error: (name) =>
    typeof name !== 'string' || (VAULTS as readonly string[]).includes(name)
      ? null
      : `vault '${name}' is not installed`,
  variants: ({ name }) => (name === 'env' ? env : name === 'file' ? file : null),
};
