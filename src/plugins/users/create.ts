/**
 * Filters of a user's plugin, with what its author need not think of: the configuration is complete by the schema of the
 * code that runs, each call says in the zone that it runs (the main thread looks there when a worker stands still), and a
 * plugin that stood still for too long answers 503.
 */
import { pluginSchema } from '../../entities/plugin-description.ts';
import { plugins, type Plugin } from '../../entities/plugin.ts';
import { pathText } from '../../entities/schema/issue.ts';
import { EntityValidator } from '../../entities/schema/validate.ts';
import { CELL, type WorkerZone } from '../../zone/worker-zone.ts';
import type { Filters } from '../kit/filters.ts';
import { refuse } from '../kit/reply.ts';
import type { PluginServices } from '../kit/services.ts';
import { PHASES } from '../engine/phases.ts';
import { creating } from './blame.ts';
import { isBlocked } from './blocked.ts';
import type { UserPlugin } from './live.ts';

type AnyFilter = (...args: unknown[]) => unknown;

const BLOCKED: Filters = {
  access: () => refuse(503),
  preread: () => ({ refuse: 'a plugin of the route kept a worker for too long' }),
};

export interface ForUser {
  readonly entity: Plugin;
  /** Its configuration, with what references lead to. */
  readonly resolved: unknown;
  readonly services: PluginServices;
  readonly zone: WorkerZone;
}

/** @throws whatever `create` throws, or an Error that says what is wrong with what it answered. */
export async function createForUser(
  plugin: UserPlugin,
  { entity, resolved, services, zone }: ForUser,
): Promise<Filters> {
  if (isBlocked(plugin, entity)) return BLOCKED;
  const config = completed(plugin, resolved);
  const create = watched((given) => plugin.definition.create(given as never, services), plugin.cell, zone);
  const filters: unknown = await creating.run(plugin.name, create, config);
  if (typeof filters !== 'object' || filters === null)
    throw new Error('create answered no object of filters');
  return wrapped(filters, plugin.cell, zone);
}

/** Fields that are new since the configuration was written have their defaults. */
function completed({ name, definition }: UserPlugin, config: unknown): unknown {
  const schema = pluginSchema(definition, '0.0.0');
  const validator = new EntityValidator({ ...plugins, variants: () => schema, subschema_error: () => null });
  const input = { name, config };
  const { entity: whole, issues } = validator.validate(
    { input },
    { flavor: 'traditional_compatible', now: 1 },
  );
  if (whole !== null) return whole['config'];
  throw new Error(issues.map(({ at, message }) => `${pathText(at)}: ${message}`).join('; '));
}

function wrapped(filters: Filters, cell: number, zone: WorkerZone): Filters {
  const { clientCertificates } = filters;
  const all: Record<string, unknown> = clientCertificates === undefined ? {} : { clientCertificates };
  for (const phase of [...PHASES, 'dispose'] as const) {
    const filter: unknown = filters[phase];
    if (filter === undefined) continue;
    if (typeof filter !== 'function') throw new Error(`create answered a ${phase} that is no function`);
    all[phase] = watched((filter as AnyFilter).bind(filters), cell, zone);
  }
  return all;
}

/** Around each call: plain stores, which only this thread makes. */
function watched(filter: AnyFilter, cell: number, zone: WorkerZone): AnyFilter {
  const { cells } = zone;
  return (first, second, third) => {
    const outer = cells[CELL.pluginRunning]!;
    cells[CELL.pluginRunning] = cell;
    cells[CELL.pluginCalls]! += 1;
    try {
      return filter(first, second, third);
    } finally {
      cells[CELL.pluginRunning] = outer;
    }
  };
}
