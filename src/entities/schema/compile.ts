/**
 * Field descriptions → checks: closures compiled once, so that validating 100,000 routes interprets nothing.
 *
 * A check takes an input value (undefined when missing), reports what is wrong in Kong's words, and answers the
 * value to store: default filled in, set without repeats, record complete. It answers null for what is wrong.
 * The order of rules is Kong's: a field has at most one message, the first rule that fails; elements of arrays and
 * fields of records each have their own.
 *
 * One difference: Kong keeps an explicit null in a field that has a default (`retries: null`) and applies the
 * default at use. Here the default is stored, so that entity types need no null there.
 */
import { compileEntityCheck } from './entity-checks.ts';
import type {
  BooleanField,
  CheckContext,
  Field,
  Fields,
  ListField,
  MapField,
  NumberField,
  RecordField,
  RecordShorthand,
  Values,
} from './field.ts';
import type { Issues } from './issue.ts';
import { MAX_ELEMENTS, MESSAGES, quotedList } from './messages.ts';
import { randomKey } from './random-key.ts';
import { compileString } from './string-check.ts';

export type Run = Issues<CheckContext>;
export type Check = (value: unknown, run: Run) => unknown;

const compiled = new WeakMap<Field, Check>();

function compileField(field: Field): Check {
  let check = compiled.get(field);
  if (check === undefined) {
    check = withPresence(field, compileType(field));
    compiled.set(field, check);
  }
  return check;
}

/** Presence comes before type: null, missing, default, required. */
function withPresence(field: Field, check: Check): Check {
  const fallback = 'default' in field && field.type !== 'record' ? (field.default ?? null) : null;
  const required = field.required === true;
  const mustBeNull = 'eq' in field && field.eq === null;
  const nullMessage = field.err ?? MESSAGES.mustBeNull;
  // A record stands for its fields' defaults: it may be left out, but it is never null.
  const expand =
    field.type === 'record' && field.required !== false && !mustBeNull && field.abstract !== true;
  const refuseNull = (required || expand) && field.auto !== true;
  return (value, run) => {
    if (value === undefined || value === null) {
      if (value === null && refuseNull) run.report(MESSAGES.required);
      else if (fallback !== null && !mustBeNull) return fallback;
      else if (expand) return check({}, run);
      else if (required && field.auto !== true) run.report(MESSAGES.required);
      return null;
    }
    if (mustBeNull) {
      run.report(nullMessage);
      return null;
    }
    return check(value, run);
  };
}

function compileType(field: Field): Check {
  switch (field.type) {
    case 'string':
      return compileString(field);
    case 'integer':
    case 'number':
      return compileNumber(field);
    case 'boolean':
      return compileBoolean(field);
    case 'array':
    case 'set':
      return compileList(field);
    case 'map':
      return compileMap(field);
    case 'record':
      return compileRecord(field);
    case 'foreign':
      return checkForeign();
    default:
      return (value) => value;
  }
}

function compileNumber(field: NumberField): Check {
  const { one_of: oneOf, between, gt } = field;
  const integer = field.type === 'integer';
  const type = integer ? MESSAGES.integer : MESSAGES.number;
  return (value, run) => {
    if (typeof value !== 'number' || (integer ? !Number.isInteger(value) : Number.isNaN(value))) {
      run.report(type);
      return null;
    }
    let wrong: string | null = null;
    if (oneOf !== undefined && !oneOf.includes(value)) wrong = `expected one of: ${oneOf.join(', ')}`;
    else if (gt !== undefined && value <= gt) wrong = `value must be greater than ${gt}`;
    else if (field.timestamp === true && value <= 0) wrong = MESSAGES.timestamp;
    else if (between !== undefined && (value < between[0] || value > between[1])) {
      wrong = `value should be between ${between[0]} and ${between[1]}`;
    }
    // JSON has -0, and writes it as 0.
    if (wrong === null) return value + 0;
    run.report(field.err ?? wrong);
    return null;
  };
}

function compileBoolean(field: BooleanField): Check {
  return (value, run) => {
    if (typeof value !== 'boolean') run.report(MESSAGES.boolean);
    else if (field.ne !== undefined && value === field.ne)
      run.report(field.err ?? `value must not be ${value}`);
    else if (typeof field.eq === 'boolean' && value !== field.eq)
      run.report(field.err ?? `value must be ${field.eq}`);
    else return value;
    return null;
  };
}

function compileList(field: ListField): Check {
  const element = compileField({ ...field.elements, required: true });
  const { len_min: min, len_eq: exact, contains, mutually_exclusive_subsets: subsets } = field;
  const isSet = field.type === 'set';
  return (value, run) => {
    // An empty map is an empty list: YAML and JSON writers of Lua tables cannot tell them apart.
    const list = isEmptyObject(value) ? [] : value;
    if (!Array.isArray(list)) {
      run.report(isSet ? MESSAGES.set : MESSAGES.array);
      return null;
    }
    const before = run.count;
    const tooMany = countElements(run, list.length) ?? field.limit?.(list) ?? null;
    if (tooMany !== null) {
      run.report(tooMany);
      return null;
    }
    const input = isSet ? distinct(list) : list;
    const output: unknown[] = [];
    for (let i = 0; i < input.length; i++) {
      run.enter(i);
      output.push(element(input[i], run));
      run.leave();
    }
    if (run.count !== before) return null;
    let wrong: string | null = null;
    if (exact !== undefined && output.length !== exact) wrong = `length must be ${exact}`;
    else if (min !== undefined && output.length < min) wrong = `length must be at least ${min}`;
    else if (contains !== undefined && !output.includes(contains)) wrong = `expected to contain: ${contains}`;
    else if (subsets !== undefined) wrong = exclusiveSubsets(output, subsets);
    if (wrong === null) return output;
    run.report(field.err ?? wrong);
    return null;
  };
}

/** Why there are too many of them, those of the entity's other lists counted. */
function countElements(run: Run, count: number): string | null {
  run.elements += count;
  return run.elements > MAX_ELEMENTS ? MESSAGES.tooMany : null;
}

function isEmptyObject(value: unknown): boolean {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 0
  );
}

/** Scalars without repeats, in order; records are compared by identity, as Kong does. */
function distinct(list: readonly unknown[]): readonly unknown[] {
  if (list.length < 2) return list;
  const seen = new Set(list);
  return seen.size === list.length ? list : [...seen];
}

function exclusiveSubsets(
  values: readonly unknown[],
  subsets: ReadonlyArray<readonly string[]>,
): string | null {
  const touched = new Set<readonly string[]>();
  for (const value of values) {
    const subset = subsets.find((one) => one.includes(value as string));
    if (subset !== undefined) touched.add(subset);
  }
  if (touched.size < 2) return null;
  const groups = [...touched].map((subset) => `(${quotedList(subset)})`);
  return `these sets are mutually exclusive: ${groups.join(', ')}`;
}

function compileMap(field: MapField): Check {
  const checkKey = compileField({ ...field.keys, required: true });
  const checkValue = compileField({ ...field.values, required: true });
  return (value, run) => {
    if (typeof value !== 'object' || (Array.isArray(value) && value.length > 0)) {
      run.report(MESSAGES.map);
      return null;
    }
    const before = run.count;
    const given = Object.entries(value as Values);
    const tooMany = countElements(run, given.length);
    if (tooMany !== null) {
      run.report(tooMany);
      return null;
    }
    const entries: Array<[string, unknown]> = [];
    for (const [key, one] of given) {
      run.enter({ key });
      checkKey(key, run);
      entries.push([key, checkValue(one, run)]);
      run.leave();
    }
    // fromEntries defines own properties, so a key named __proto__ is only a key.
    return run.count === before ? Object.fromEntries(entries) : null;
  };
}

function checkForeign(): Check {
  const id = compileField({ type: 'string', uuid: true, required: true });
  return (value, run) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      run.report(MESSAGES.record);
      return null;
    }
    const given = (value as Values)['id'];
    if (given === undefined) {
      run.reportAt('id', MESSAGES.missingPrimaryKey);
      return null;
    }
    run.enter('id');
    const checked = id(given, run);
    run.leave();
    return checked === null ? null : { id: checked };
  };
}

function compileRecord(field: RecordField): Check {
  const record = field.abstract === true ? null : new CompiledRecord(field.fields, field.entity_checks ?? []);
  const shorthands = Object.entries(field.shorthand_fields ?? {}).map(
    ([name, { type, expand }]) => [name, compileField({ type }), expand] as const,
  );
  const generated = generatedFields(field.fields);
  return (value, run) => {
    if (typeof value !== 'object' || value === null || (Array.isArray(value) && value.length > 0)) {
      run.report(MESSAGES.record);
      return null;
    }
    if (record === null) return value;
    const before = run.count;
    const extras = shorthands.length === 0 ? NO_EXTRAS : expandShorthands(shorthands, value as Values, run);
    const output = record.run(value as Values, run, extras);
    if (run.count !== before) return null;
    for (const name of generated) output[name] ??= randomKey();
    const wrong = field.custom_validator?.(output, run.context) ?? null;
    if (wrong === null) return output;
    run.report(wrong);
    return null;
  };
}

/** Names of fields that get a random value when missing. */
export function generatedFields(fields: Fields): readonly string[] {
  return Object.entries(fields).flatMap(([name, field]) =>
    field.type === 'string' && field.auto === true ? [name] : [],
  );
}

function expandShorthands(
  shorthands: ReadonlyArray<readonly [name: string, check: Check, expand: RecordShorthand['expand']]>,
  input: Values,
  run: Run,
): Extras {
  const given = shorthands.filter(([name]) => Object.hasOwn(input, name));
  if (given.length === 0) return NO_EXTRAS;
  const overrides: Record<string, unknown> = {};
  for (const [name, check, expand] of given) {
    run.enter(name);
    const value = check(input[name], run);
    run.leave();
    if (value !== null) Object.assign(overrides, expand(value));
  }
  return { overrides, ignored: new Set(given.map(([name]) => name)) };
}

export interface Extras {
  /** Values that take the place of the input's. */
  readonly overrides: Values | null;
  /** Input keys that are no fields and yet known. */
  readonly ignored: ReadonlySet<string>;
}

export const NO_EXTRAS: Extras = { overrides: null, ignored: new Set() };

/** The fields of a record and the rules across them. */
export class CompiledRecord {
  readonly fields: Fields;
  readonly #names: readonly string[];
  readonly #checks: readonly Check[];
  readonly #known: ReadonlySet<string>;
  /** Copied for each entity, so that all have one hidden class: adding the fields one by one costs several times more. */
  readonly #blank: Readonly<Record<string, unknown>>;
  readonly #entityChecks: ReadonlyArray<(values: Values, failed: ReadonlySet<string>, run: Run) => void>;

  constructor(fields: Fields, entityChecks: NonNullable<RecordField['entity_checks']>) {
    this.fields = fields;
    this.#names = Object.keys(fields);
    this.#checks = Object.values(fields).map(compileField);
    this.#known = new Set(this.#names);
    this.#blank = Object.fromEntries(this.#names.map((name) => [name, null]));
    this.#entityChecks = entityChecks.map((check) => compileEntityCheck(check, fields, compileField));
  }

  run(input: Values, run: Run, extras: Extras): Record<string, unknown> {
    const { overrides, ignored } = extras;
    const output = { ...this.#blank };
    let failed: Set<string> | null = null;
    for (let i = 0; i < this.#names.length; i++) {
      const name = this.#names[i] as string;
      const check = this.#checks[i] as Check;
      const before = run.count;
      run.enter(name);
      const replaced = overrides?.[name];
      // Own properties alone: `constructor` of a plain object is no input.
      const value =
        replaced === undefined ? (Object.hasOwn(input, name) ? input[name] : undefined) : replaced;
      output[name] = check(value, run);
      run.leave();
      if (run.count !== before) (failed ??= new Set()).add(name);
    }
    for (const name of Object.keys(input)) {
      if (!this.#known.has(name) && !ignored.has(name)) run.reportAt(name, MESSAGES.unknown);
    }
    const given = failed === null ? output : { ...output, ...valuesOf(input, overrides, failed) };
    for (const check of this.#entityChecks) check(given, failed ?? NONE, run);
    return output;
  }
}

/** Fields that failed, as they came: Kong's rules across fields look at them all the same. */
function valuesOf(input: Values, overrides: Values | null, failed: ReadonlySet<string>): Values {
  const one = (name: string): unknown =>
    overrides?.[name] ?? (Object.hasOwn(input, name) ? input[name] : null) ?? null;
  return Object.fromEntries([...failed].map((name) => [name, one(name)]));
}

const NONE: ReadonlySet<string> = new Set();
