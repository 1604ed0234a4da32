/** Targets (Kong's `targets`): the addresses behind an upstream. */
import { parseHost } from './formats/host.ts';
import type { Entity, EntityDefinition } from './schema/field.ts';
import * as t from './typedefs.ts';

/** The port of a target that says none. */
export const DEFAULT_PORT = 8000;

const fields = {
  id: t.uuid,
  upstream: { type: 'foreign', reference: 'upstreams', required: true, on_delete: 'cascade' },
  target: {
    type: 'string',
    required: true,
    custom_validator: (target) =>
      typeof parseHost(target) === 'string'
        ? `Invalid target ('${target}'); not a valid hostname or ip address`
        : null,
  },
  weight: { type: 'integer', default: 100, between: [0, 65535] },
  tags: t.tags,
  created_at: t.timestampMs,
  updated_at: t.timestampMs,
} as const satisfies EntityDefinition['fields'];

export interface Target extends Entity<typeof fields> {}

/** `host:port` as it is stored: port filled in, IPv6 expanded and in brackets. */
function normalizeTarget(target: string): string {
  const parsed = parseHost(target);
  if (typeof parsed === 'string') return target;
  const host = parsed.type === 'ipv6' ? `[${parsed.host}]` : parsed.host;
  return `${host}:${parsed.port ?? DEFAULT_PORT}`;
}

export const targets: EntityDefinition = {
  name: 'targets',
  endpoint_key: 'target',
  cache_key: ['upstream', 'target'],
  fields,
  transform: (entity) => {
    entity['target'] = normalizeTarget(String(entity['target']));
  },
};
