/** Targets (Kong's `targets`): the addresses behind an upstream. */
import { parseHost } from './formats/host.ts';
import type { Entity, EntityDefinition } from './schema/field.ts';
import * as t from './typedefs.ts';

/** The port of a target that says none. */
export const DEFAULT_PORT = 8000;

const PRIORITY = 'priority:';
const MAX_PRIORITY = 99;

/** What is wrong with a tag. One that nearly says a priority would put a spare target in front. */
function tagProblem(tag: string): string | null {
  const problem = t.tags.elements.custom_validator(tag);
  if (problem !== null) return problem;
  if (!tag.startsWith(PRIORITY) || /^(?:0|[1-9]\d?)$/.test(tag.slice(PRIORITY.length))) return null;
  return `'priority:N' says which targets are used first: N is an integer from 0 to ${MAX_PRIORITY}`;
}

/** The group of a target by its tag `priority:N`; of two tags the one that is used later, without one 0. */
export function priorityOf(tags: readonly string[] | null | undefined): number {
  let priority = 0;
  for (const tag of tags ?? []) {
    if (tag.startsWith(PRIORITY) && tagProblem(tag) === null) {
      priority = Math.max(priority, Number(tag.slice(PRIORITY.length)));
    }
  }
  return priority;
}

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
  tags: { ...t.tags, elements: { ...t.tags.elements, custom_validator: tagProblem } },
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
