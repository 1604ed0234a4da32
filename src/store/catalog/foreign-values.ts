/** A reference that names nothing (`"service": {"protocol": "foo"}`): Kong tells what is wrong with its values first. */
import type { CheckContext, EntityDefinition, Field, Values } from '../../entities/schema/field.ts';
import type { Issue } from '../../entities/schema/issue.ts';
import { MESSAGES } from '../../entities/schema/messages.ts';
import { EntityValidator } from '../../entities/schema/validate.ts';
import { kindIndex, referenceOf } from './kind-index.ts';

const parts = new WeakMap<EntityDefinition, EntityValidator>();

/** Checks some fields of a kind's entity; none is missing. */
function partsOf(kind: string): EntityValidator {
  const { definition } = kindIndex(kind);
  let validator = parts.get(definition);
  if (validator === undefined) {
    const optional = Object.entries(definition.fields).map(([name, field]): [string, Field] => [
      name,
      { ...field, required: false },
    ]);
    validator = new EntityValidator({ name: kind, fields: Object.fromEntries(optional) });
    parts.set(definition, validator);
  }
  return validator;
}

/** @param issues of the entity, one of which may be that a reference has no id. */
export function withForeignIssues(
  kind: string,
  input: Values,
  issues: readonly Issue[],
  context: CheckContext,
): Issue[] {
  return issues.flatMap((issue) => {
    const [field] = issue.at;
    if (issue.message !== MESSAGES.missingPrimaryKey || typeof field !== 'string') return [issue];
    const reference = referenceOf(kind, field);
    if (reference === undefined) return [issue];
    const wrong = partsOf(reference.kind).validate({ input: input[field] as Values }, context).issues ?? [];
    return wrong.length === 0 ? [issue] : wrong.map(({ at, message }) => ({ at: [field, ...at], message }));
  });
}
