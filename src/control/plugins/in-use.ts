/** Whether the configurations that there are can go on with plugins as they are now. */
import { pluginSchema } from '../../entities/plugin-description.ts';
import { plugins } from '../../entities/plugin.ts';
import type { CheckContext, Values } from '../../entities/schema/field.ts';
import { pathText } from '../../entities/schema/issue.ts';
import { EntityValidator } from '../../entities/schema/validate.ts';
import type { StagedBundle } from '../../plugins/users/live.ts';

/** Configurations that are named; a list must not grow with the configuration. */
const NAMED = 20;

/** One line for each configuration that could not. */
export function configProblems(
  { changed, gone }: StagedBundle,
  configured: Iterable<Values>,
  flavor: CheckContext['flavor'],
): string[] {
  const problems: string[] = [];
  const left = new Set(gone);
  const validators = new Map<string, EntityValidator>();
  for (const [name, { definition }] of changed) {
    const schema = pluginSchema(definition, '0.0.0');
    validators.set(
      name,
      new EntityValidator({ ...plugins, variants: () => schema, subschema_error: () => null }),
    );
  }
  for (const entity of configured) {
    const name = String(entity['name']);
    const place = `plugin ${name} (${String(entity['id'])})`;
    if (left.has(name)) problems.push(`${place}: its file is gone, and this configuration uses it`);
    const issues = validators.get(name)?.validate({ input: entity }, { flavor, now: 1 }).issues ?? [];
    for (const { at, message } of issues) problems.push(`${place}: ${pathText(at)}: ${message}`);
    if (problems.length >= NAMED) break;
  }
  return problems;
}
