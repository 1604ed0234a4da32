/** Rules on strings, in Kong's order. */
import type { Check, Run } from './compile.ts';
import type { CheckContext, Pattern, StringField } from './field.ts';
import { MESSAGES } from './messages.ts';

type Rule = (value: string, context: CheckContext) => string | null;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export function isUuid(value: unknown): value is string {
  return typeof value === 'string' && value.length === 36 && UUID.test(value);
}

/** `{vault://…}`: the value stands in a vault. */
export function isReference(value: unknown): value is string {
  return typeof value === 'string' && value.startsWith('{vault://') && value.endsWith('}');
}

export function compileString(field: StringField): Check {
  const rules = rulesOf(field);
  return (value: unknown, run: Run) => {
    if (typeof value !== 'string') {
      run.report(MESSAGES.string);
      return null;
    }
    if (field.referenceable === true && isReference(value)) return value;
    for (const rule of rules) {
      const wrong = rule(value, run.context);
      if (wrong !== null) {
        run.report(field.err ?? wrong);
        return null;
      }
    }
    return value;
  };
}

function rulesOf(field: StringField): Rule[] {
  const rules: Rule[] = [];
  const add = <T>(rule: T | undefined, make: (rule: T) => Rule): void => {
    if (rule !== undefined) rules.push(make(rule));
  };
  add(field.not_one_of, (list) => refuseAll(list));
  add(field.one_of, (list) => requireOne(list));
  add(field.uuid, () => (value) => (isUuid(value) ? null : MESSAGES.uuid));
  // Kong accepts no empty string unless the field says so.
  const min = field.len_min ?? 1;
  if (min > 0) rules.push((value) => (value.length >= min ? null : `length must be at least ${min}`));
  add(
    field.starts_with,
    (prefix) => (value) => (value.startsWith(prefix) ? null : `should start with: ${prefix}`),
  );
  for (const one of field.match_none ?? [])
    rules.push((value) => (one.pattern.js.test(value) ? one.err : null));
  add(field.match, (pattern) => (value) => (pattern.js.test(value) ? null : `invalid value: ${value}`));
  for (const one of field.match_all ?? [])
    rules.push((value) => (one.pattern.js.test(value) ? null : one.err));
  add(
    field.match_any,
    ({ patterns, err }) =>
      (value) =>
        matchesAny(patterns, value) ? null : err,
  );
  add(field.custom_validator, (validator) => validator);
  return rules;
}

function refuseAll(list: readonly string[]): Rule {
  const message = `must not be one of: ${list.join(', ')}`;
  return (value) => (list.includes(value) ? message : null);
}

function requireOne(list: readonly string[]): Rule {
  const message = `expected one of: ${list.join(', ')}`;
  return (value) => (list.includes(value) ? null : message);
}

function matchesAny(patterns: readonly Pattern[], value: string): boolean {
  return patterns.some((pattern) => pattern.js.test(value));
}
