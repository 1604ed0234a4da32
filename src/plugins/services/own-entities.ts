/** Entities of a plugin's own kinds, in the node's directory (`entities/plugin-rows.ts`). */
import { type PluginEntity, pluginKind, pluginKinds } from '../../entities/plugin-entities.ts';
import { listId, PLUGIN_ROWS, type PluginRow, slotsOf, slotText } from '../../entities/plugin-rows.ts';
import type { Fields, Values } from '../../entities/schema/field.ts';
import type { OwnEntities } from '../kit/services.ts';

/** The side of the directory that is asked. */
export interface RowLookup {
  find(kind: typeof PLUGIN_ROWS, slot: string, text: string): PluginRow | null;
  owned(kind: typeof PLUGIN_ROWS, id: string): readonly PluginRow[];
}

/** @throws Error for a kind of another plugin. */
export function ownEntities<F extends Fields>(
  directory: RowLookup,
  plugin: string,
  description: PluginEntity<F>,
): OwnEntities<F> {
  const { name } = description;
  const other = pluginKinds().get(name)?.plugin;
  if (other !== undefined && other !== plugin)
    throw new Error(`${name} are entities of the plugin ${other}, and not of ${plugin}`);
  const slots = slotsOf(pluginKind(plugin, description));
  const find = (field: string, value: string): Values | null => {
    const slot = slots.get(field);
    if (slot === undefined) throw new Error(`${name} are not found by ${field}, which is not unique`);
    const row = directory.find(PLUGIN_ROWS, slot, slotText(name, field, value));
    return row === null ? null : entityOf(row);
  };
  const lookup = {
    get: (id: string) => find('id', id.toLowerCase()),
    find,
    // Lists are by hashed ids, and who writes entities may choose ids.
    owned: (ownerId: string) =>
      directory
        .owned(PLUGIN_ROWS, listId(name, ownerId))
        .filter(({ kind }) => kind === name)
        .map(entityOf),
  };
  // What is put there was complete by the description.
  return lookup as unknown as OwnEntities<F>;
}

/** What was put, and so the same object for as long as the worker keeps the decoded row. */
function entityOf({ entity, ttl }: PluginRow): Values {
  return ttl === null ? entity : { ...entity, ttl };
}
