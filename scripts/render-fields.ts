/** Tables of fields and lists of rules, as the reference pages of entities and plugins show them. */
import type { EntityCheck, Field, Fields } from '../src/entities/schema/field.ts';

/**
 * Rows of a table, one for each field and each field of records within.
 *
 * @param describe says what a field is for that does not say it itself, by its path.
 */
export function fieldRows(
  fields: Fields,
  describe: (path: string) => string | undefined,
  prefix = '',
): string[] {
  const lines: string[] = [];
  for (const [name, field] of Object.entries(fields)) {
    const path = `${prefix}${name}`;
    const text = field.description ?? describe(path) ?? '';
    lines.push(
      `| ${code(path)} | ${typeText(field)} | ${defaultText(field)} | ${cell([text, ...rules(field)])} |`,
    );
    if (field.type === 'record') lines.push(...fieldRows(field.fields, describe, `${path}.`));
    else if ('elements' in field && field.elements.type === 'record') {
      lines.push(...fieldRows(field.elements.fields, describe, `${path}[].`));
    }
  }
  return lines;
}

function typeText(field: Field): string {
  if (field.type === 'foreign') return `[${field.reference}](${field.reference}.md)`;
  if (field.type === 'map') return `map of ${typeText(field.values)}`;
  if ('elements' in field) return `${field.type} of ${typeText(field.elements)}`;
  return 'uuid' in field && field.uuid ? 'UUID' : field.type;
}

function defaultText(field: Field): string {
  if (field.auto === true) return 'generated';
  if (field.type === 'record') return '';
  const initial = 'default' in field ? field.default : undefined;
  if (initial === undefined || initial === null) return field.required === true ? '**required**' : '';
  if (Array.isArray(initial)) return code(initial.join(', '));
  return code(typeof initial === 'string' ? initial : JSON.stringify(initial));
}

function rules(field: Field): string[] {
  const said: string[] = [];
  const one = 'elements' in field ? field.elements : field;
  if ('one_of' in one && one.one_of !== undefined)
    said.push(`One of ${one.one_of.map((v) => code(String(v))).join(', ')}.`);
  if ('between' in one && one.between !== undefined)
    said.push(`From ${one.between[0]} to ${one.between[1]}.`);
  if (field.unique === true) said.push('Unique.');
  if ('referenceable' in field && field.referenceable) said.push('May be a vault reference.');
  if (field.type === 'foreign' && field.on_delete === 'cascade') said.push('Goes with what it refers to.');
  return said;
}

export function checkLines(all: readonly EntityCheck[]): string[] {
  const lines = all.map(checkText).filter((text) => text !== null);
  return lines.length === 0 ? [] : ['\n## Rules across fields\n', ...lines.map((text) => `- ${text}`)];
}

const names = (list: readonly string[]): string => list.map(code).join(', ');

function checkText(check: EntityCheck): string | null {
  if ('at_least_one_of' in check) return `At least one of ${names(check.at_least_one_of)}.`;
  if ('only_one_of' in check) return `Exactly one of ${names(check.only_one_of)}.`;
  if ('mutually_exclusive' in check) return `Not more than one of ${names(check.mutually_exclusive)}.`;
  if ('mutually_required' in check) return `All or none of ${names(check.mutually_required)}.`;
  if ('distinct' in check) return `Different values in ${names(check.distinct)}.`;
  if (!('conditional' in check)) return null;
  const {
    if_field: field,
    if_match: match,
    then_field: then,
    then_match: rule,
    then_err: said,
  } = check.conditional;
  if (said !== undefined) return `${said.charAt(0).toUpperCase()}${said.slice(1)}.`;
  return `When ${code(field)} is ${matchText(match)}, ${code(then)} must ${ruleText(rule)}.`;
}

function matchText(match: Readonly<Record<string, unknown>>): string {
  const { one_of: among, not_one_of: none, match: pattern } = match;
  if (Array.isArray(among)) return `one of ${names(among as string[])}`;
  if (Array.isArray(none)) return `none of ${names(none as string[])}`;
  if (pattern !== undefined) return code((pattern as { lua: string }).lua.replaceAll(/[\^$]/g, ''));
  if ('eq' in match) return code(JSON.stringify(match['eq']));
  return Object.entries(match)
    .map(([rule, value]) => `${COMPARISONS[rule] ?? rule} ${code(JSON.stringify(value))}`)
    .join(' and ');
}

const COMPARISONS: Readonly<Record<string, string>> = { gt: 'greater than', between: 'between', ne: 'not' };

function ruleText(rule: Readonly<Record<string, unknown>>): string {
  if (rule['eq'] === null) return 'be unset';
  if (Array.isArray(rule['one_of'])) return `be one of ${names(rule['one_of'] as string[])}`;
  if (typeof rule['contains'] === 'string') return `have ${code(rule['contains'])}`;
  return 'be set';
}

export function code(text: string): string {
  return `\`${text}\``;
}

export function cell(sentences: readonly string[]): string {
  return sentences
    .filter((one) => one !== '')
    .join(' ')
    .replaceAll('|', '\\|');
}
