/** Whether the entities that are stored can go on with the kinds of changed plugins. */
import { type PluginEntity, pluginKind, pluginKinds } from '../../entities/plugin-entities.ts';
import type { CheckContext, Values } from '../../entities/schema/field.ts';
import { pathText } from '../../entities/schema/issue.ts';
import { EntityValidator } from '../../entities/schema/validate.ts';
import type { StagedBundle } from '../../plugins/users/live.ts';

/** Entities that are named; a list must not grow with the configuration. */
const NAMED = 20;

interface Judged {
  /** All of a kind, as they are kept. */
  readonly stored: (kind: string) => Iterable<Values>;
  readonly flavor: CheckContext['flavor'];
}

/** One line for each entity that could not; in steps. */
export function* entityProblems(
  { changed }: StagedBundle,
  { stored, flavor }: Judged,
): Generator<void, string[]> {
  const problems: string[] = [];
  for (const [plugin, { definition }] of changed) {
    for (const description of definition.entities ?? []) {
      if (isAsBefore(plugin, description)) continue;
      for (const problem of kindProblems(plugin, description, { stored, flavor })) {
        if (problem !== null) problems.push(problem);
        if (problems.length >= NAMED) return problems;
        yield;
      }
    }
  }
  return problems;
}

function isAsBefore(plugin: string, description: PluginEntity): boolean {
  const kind = pluginKinds().get(description.name);
  return kind?.plugin === plugin && JSON.stringify(kind.description) === JSON.stringify(description);
}

function* kindProblems(
  plugin: string,
  description: PluginEntity,
  { stored, flavor }: Judged,
): Generator<string | null> {
  const { definition } = pluginKind(plugin, description);
  const { name, fields } = definition;
  const validator = new EntityValidator(definition);
  const uniques = Object.keys(fields).filter((field) => fields[field]?.unique === true);
  const seen = new Map(uniques.map((field) => [field, new Set<unknown>()]));
  for (const entity of stored(name)) {
    const place = `plugin ${plugin}: ${name} ${String(entity['id'])}`;
    // A field that is gone is not shown any more: that stops nobody.
    const known = Object.entries(entity).filter(([field]) => Object.hasOwn(fields, field));
    const { issues } = validator.validate({ input: Object.fromEntries(known) }, { flavor, now: 1 });
    for (const { at, message } of issues ?? [])
      yield `${place}: ${pathText(at)}: ${message}; this entity is stored`;
    for (const [field, values] of seen) {
      const value = entity[field] ?? null;
      if (value !== null && values.has(value))
        yield `${place}: ${field}: another entity that is stored has the same`;
      values.add(value);
    }
    yield null;
  }
}
