/** Whether what a user's file exports is a plugin: said in words for its author, since no compiler has looked at it. */
import { EntityValidator } from '../../entities/schema/validate.ts';
import { pluginSchema } from '../../entities/plugin-description.ts';
import { plugins } from '../../entities/plugin.ts';
import { endpointsProblem } from '../engine/endpoint-check.ts';
import type { PluginDefinition } from '../kit/define.ts';
import { adaptKongPdk } from '../kong-pdk/adapt.ts';
import { SCHEMAS } from '../schemas.ts';
import { entitiesProblem } from './entities.ts';
import { fieldsProblem, isRecord, type Loose, shown } from './fields.ts';

const READS: ReadonlySet<string> = new Set(['GET']);

/** @param name of its file or folder. @throws Error that says what is wrong. */
export function checkDefinition(module: Loose, name: string): PluginDefinition {
  const given = adaptKongPdk(module['default'], name) ?? module['default'];
  if (!isRecord(given)) {
    throw new Error('it has no default export: `export default definePlugin({ … })` makes a plugin');
  }
  if (given['name'] !== name) {
    throw new Error(
      `it calls itself ${shown(given['name'])}, and its file or folder '${name}': both must be the same`,
    );
  }
  if (SCHEMAS.some((own) => own.name === name))
    throw new Error(`Sluice has a plugin '${name}': choose another name`);
  const problem =
    numberProblem(given['priority']) ??
    versionProblem(given['version']) ??
    fieldsProblem(given['config'], 'config', 0) ??
    endpointsProblem(given['adminEndpoints'], 'adminEndpoints') ??
    endpointsProblem(given['statusEndpoints'], 'statusEndpoints', READS) ??
    (typeof given['create'] === 'function' ? null : 'create is no function') ??
    entitiesProblem(given['entities'], name);
  if (problem !== null) throw new Error(problem);
  const definition = given as unknown as PluginDefinition;
  tryOut(definition);
  return definition;
}

/** What is left to be wrong shows when the checks are compiled and run. */
function tryOut(definition: PluginDefinition): void {
  const schema = pluginSchema(definition, '0.0.0');
  const validator = new EntityValidator({ ...plugins, variants: () => schema, subschema_error: () => null });
  const input = { name: definition.name, config: {} };
  try {
    validator.validate({ input }, { flavor: 'traditional_compatible', now: 1 });
  } catch (error) {
    throw new Error(`config: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

function numberProblem(priority: unknown): string | null {
  return typeof priority === 'number' && Number.isFinite(priority)
    ? null
    : `priority ${shown(priority)} is no number`;
}

function versionProblem(version: unknown): string | null {
  if (version === undefined || (typeof version === 'string' && /^\d+\.\d+\.\d+$/.test(version))) return null;
  return `version ${shown(version)} is not like '1.0.0'`;
}
