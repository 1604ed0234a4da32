/** Rules across the fields of an entity; messages go under `@entity`, as in Kong. */
import type { Check, Run } from './compile.ts';
import type {
  Conditional,
  ConditionalAtLeastOneOf,
  EntityCheck,
  Field,
  Fields,
  Match,
  Values,
} from './field.ts';
import { ENTITY } from './issue.ts';
import { quotedList } from './messages.ts';

/** @param values those that failed as they came. */
export type CompiledCheck = (values: Values, failed: ReadonlySet<string>, run: Run) => void;
type Compile = (field: Field) => Check;

export function compileEntityCheck(check: EntityCheck, fields: Fields, compile: Compile): CompiledCheck {
  if ('conditional' in check) return conditional(check.conditional, fields, compile);
  if ('conditional_at_least_one_of' in check) {
    return conditionalAtLeastOneOf(check.conditional_at_least_one_of, fields, compile);
  }
  if ('custom_entity_check' in check) {
    const { field_sources: sources, fn } = check.custom_entity_check;
    return (values, failed, run) => {
      if (failed.size > 0 && sources.some((name) => failed.has(name))) return;
      const wrong = fn(values, run.context);
      if (wrong !== null) run.reportAt(ENTITY, wrong);
    };
  }
  if ('at_least_one_of' in check) return atLeastOneOf(check.at_least_one_of);
  if ('only_one_of' in check) {
    return countRule(
      check.only_one_of,
      (count) => count !== 1,
      'exactly one of these fields must be non-empty',
    );
  }
  if ('mutually_exclusive' in check) {
    return countRule(
      check.mutually_exclusive,
      (count) => count > 1,
      'only one or none of these fields must be set',
    );
  }
  if ('mutually_required' in check) {
    const names = check.mutually_required;
    const partial = (count: number): boolean => count > 0 && count < names.length;
    return countRule(names, partial, 'all or none of these fields must be set');
  }
  return distinct(check.distinct);
}

/** Kong's notion: null, empty strings and empty containers are empty; false and 0 are not. */
export function isNonEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '') return false;
  if (typeof value !== 'object') return true;
  return Array.isArray(value) ? value.length > 0 : Object.keys(value).length > 0;
}

/** @param name dots go into records, as rules across a plugin's `config` have them. */
function valueOf(values: Values, name: string): unknown {
  if (!name.includes('.')) return values[name];
  let value: unknown = values;
  for (const part of name.split('.')) value = (value as Values | null | undefined)?.[part];
  return value;
}

function anySet(names: readonly string[], values: Values): boolean {
  return names.some((name) => isNonEmpty(valueOf(values, name)));
}

function atLeastOneOf(names: readonly string[]): CompiledCheck {
  const message = `at least one of these fields must be non-empty: ${quotedList(names)}`;
  return (values, _failed, run) => {
    if (anySet(names, values)) return;
    run.reportAt(ENTITY, run.context.updating === true ? `when updating, ${message}` : message);
  };
}

function countRule(names: readonly string[], wrong: (count: number) => boolean, text: string): CompiledCheck {
  const message = `${text}: ${quotedList(names)}`;
  return (values, failed, run) => {
    if (names.some((name) => failed.has(name.split('.', 1)[0] ?? ''))) return;
    const set = names.filter((name) => isNonEmpty(valueOf(values, name)));
    if (wrong(set.length)) run.reportAt(ENTITY, message);
  };
}

function distinct(names: readonly string[]): CompiledCheck {
  const message = `values of these fields must be distinct: ${quotedList(names)}`;
  return (values, _failed, run) => {
    const given = names.map((name) => values[name]).filter(isNonEmpty);
    if (new Set(given).size < given.length) run.reportAt(ENTITY, message);
  };
}

function refine(fields: Fields, name: string, match: Match, compile: Compile): Check {
  return compile({ ...fields[name], required: false, ...match } as Field);
}

/**
 * If one field passes, the other must pass as well; reported at that field, in place of what else was wrong with it, and
 * at the entity.
 */
function conditional(rule: Conditional, fields: Fields, compile: Compile): CompiledCheck {
  const condition = refine(fields, rule.if_field, rule.if_match, compile);
  const consequence = refine(fields, rule.then_field, rule.then_match, compile);
  const message = rule.then_err ?? `failed conditional validation given value of field '${rule.if_field}'`;
  return (values, failed, run) => {
    if (!run.passes(() => void condition(values[rule.if_field], run))) return;
    const value = values[rule.then_field];
    if (run.passes(() => void consequence(value, run))) return;
    if (failed.has(rule.then_field)) run.forget(rule.then_field);
    run.enter(rule.then_field);
    consequence(value, run);
    run.leave();
    run.reportAt(ENTITY, message);
  };
}

function conditionalAtLeastOneOf(
  rule: ConditionalAtLeastOneOf,
  fields: Fields,
  compile: Compile,
): CompiledCheck {
  const condition = refine(fields, rule.if_field, rule.if_match, compile);
  const otherwise =
    rule.else_match === undefined ? null : refine(fields, rule.if_field, rule.else_match, compile);
  const message = rule.then_err.replace('%s', quotedList(rule.then_at_least_one_of));
  const elseNames = rule.else_then_at_least_one_of ?? [];
  const elseMessage = (rule.else_then_err ?? '').replace('%s', quotedList(elseNames));
  return (values, _failed, run) => {
    const value = values[rule.if_field];
    if (run.passes(() => void condition(value, run))) {
      if (!anySet(rule.then_at_least_one_of, values)) run.reportAt(ENTITY, message);
    } else if (otherwise !== null && run.passes(() => void otherwise(value, run))) {
      if (!anySet(elseNames, values)) run.reportAt(ENTITY, elseMessage);
    }
  };
}
