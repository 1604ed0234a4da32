/** One entity against its definition. */
import { randomUUID } from 'node:crypto';
import * as t from '../typedefs.ts';
import { CompiledRecord, generatedFields, type Extras, type Run } from './compile.ts';
import type { CheckContext, EntityDefinition, EntityVariant, Field, Values } from './field.ts';
import { Issues, type Issue } from './issue.ts';
import { MESSAGES } from './messages.ts';
import { randomKey } from './random-key.ts';

export interface ValidationInput {
  readonly input: Values;
  /** Replaces the input's own values: ids and references that the caller has resolved. */
  readonly overrides?: Values | null;
  /** Input keys that are no fields and yet known (nested children, `_comment`). */
  readonly ignored?: ReadonlySet<string>;
}

export type ValidationResult =
  | { readonly entity: Record<string, unknown>; readonly issues: null }
  | { readonly entity: null; readonly issues: readonly Issue[] };

const EMPTY_SET: ReadonlySet<string> = new Set();

/** A definition made ready; build it once. */
export class EntityValidator {
  readonly definition: EntityDefinition;
  readonly #records = new Map<EntityVariant, CompiledRecord>();
  /** Fields that get a random value when missing. */
  readonly #generated: readonly string[];
  readonly #base: EntityVariant;
  readonly #shorthands: ReadonlyArray<
    readonly [string, NonNullable<EntityDefinition['shorthand_fields']>[string]]
  >;

  constructor(definition: EntityDefinition) {
    this.definition = definition;
    this.#generated = generatedFields(definition.fields);
    this.#base = { fields: definition.ttl === true ? { ttl: t.ttl } : {}, entity_checks: [] };
    this.#shorthands = Object.entries(definition.shorthand_fields ?? {});
  }

  /** Every problem of the entity, or the complete entity. */
  validate(given: ValidationInput, context: CheckContext): ValidationResult {
    const run: Run = new Issues(context);
    const extras = this.#expand(given, run);
    // As in Kong: what a wrong shorthand would have set is not there to be judged.
    if (run.count > 0) return { entity: null, issues: run.list };
    const record = this.#chooseRecord(given.input, extras, run);
    if (record === null) return { entity: null, issues: run.list };
    const entity = record.run(given.input, run, extras);
    if (run.count > 0) return { entity: null, issues: run.list };
    for (const name of this.#generated) entity[name] ??= name === 'id' ? randomUUID() : randomKey();
    // The timestamps of the store: created_at as given, updated_at always now.
    const { created_at: created, updated_at: updated } = this.definition.fields;
    if (created !== undefined) entity['created_at'] ??= timeOf(created, context);
    if (updated !== undefined) entity['updated_at'] = timeOf(updated, context);
    return { entity, issues: null };
  }

  #expand(given: ValidationInput, run: Run): Extras {
    const overrides = given.overrides ?? null;
    const ignored = given.ignored ?? EMPTY_SET;
    if (this.#shorthands.length === 0) return { overrides, ignored };
    let expanded: Values | null = null;
    let known: Set<string> | null = null;
    for (const [name, shorthand] of this.#shorthands) {
      const value: unknown = expanded !== null && name in expanded ? expanded[name] : given.input[name];
      if (value === undefined) continue;
      if (!(name in this.definition.fields)) (known ??= new Set(ignored)).add(name);
      if (value === null && shorthand.nullable !== true) continue;
      if (value !== null && (typeof value !== 'string' || value === '')) {
        if (known?.has(name) === true) {
          run.reportAt(name, value === '' ? 'length must be at least 1' : MESSAGES.string);
        }
        // A later shorthand could replace the wrong value, and nobody would hear of it.
        break;
      }
      expanded = Object.assign({}, overrides, expanded, shorthand.expand(value));
    }
    return { overrides: expanded ?? overrides, ignored: known ?? ignored };
  }

  #chooseRecord(input: Values, extras: Extras, run: Run): CompiledRecord | null {
    const { definition } = this;
    const key = definition.subschema_key;
    if (key !== undefined) {
      const value = extras.overrides?.[key] ?? input[key];
      const wrong = missingSubschema(definition, key, value);
      if (wrong !== null) {
        run.reportAt(key, wrong);
        return null;
      }
    }
    const variant = definition.variants?.(input, run.context.flavor) ?? this.#base;
    let record = this.#records.get(variant);
    if (record === undefined) {
      const checks = [...(definition.entity_checks ?? []), ...variant.entity_checks];
      record = new CompiledRecord({ ...definition.fields, ...variant.fields }, checks);
      this.#records.set(variant, record);
    }
    return record;
  }
}

/** Whole seconds, except where milliseconds count (Kong's targets: the newest comes first). */
function timeOf(field: Field, { now }: CheckContext): number {
  return field.type === 'number' ? now : Math.floor(now);
}

/** Without its subschema Kong checks no more of an entity. */
function missingSubschema(definition: EntityDefinition, key: string, value: unknown): string | null {
  const field = definition.fields[key];
  if (value === null || (value === undefined && (field === undefined || !('default' in field)))) {
    return MESSAGES.required;
  }
  return value === undefined ? null : (definition.subschema_error?.(value) ?? null);
}
