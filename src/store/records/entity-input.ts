/**
 * What a client sent of an entity that is a record → the record: validated by the entity's schema, complete, with
 * references resolved, unique values and owners told apart, and within the limits of records.
 */
import type { Values } from '../../entities/schema/field.ts';
import { ENTITY, type Issue } from '../../entities/schema/issue.ts';
import { checkTtl, withoutTtl } from '../catalog/derive.ts';
import { withForeignIssues } from '../catalog/foreign-values.ts';
import { mergePatch, resolveReferences, type Finder } from '../catalog/inputs.ts';
import { referencedIds, referenceOf, type KindIndex } from '../catalog/kind-index.ts';
import { maskIssues } from '../catalog/refuse.ts';
import { schemaViolation } from '../errors.ts';
import { isName, MAX_NAME, MAX_VALUE, type RecordInput, type StoredRecord } from './records.ts';

export interface EntityInput {
  readonly input: Values;
  /** Replaces the input's own values. */
  readonly overrides: Values;
  /** What a patch is laid over. */
  readonly stored: StoredRecord | null;
}

export interface PreparedRecord {
  readonly record: Required<RecordInput>;
  /** Null: no end. */
  readonly ttlMs: number | null;
}

/** @throws StoreError */
export function prepareRecord(kind: KindIndex, given: EntityInput, finder: Finder): PreparedRecord {
  const { input, overrides, stored } = given;
  const ttl = Object.hasOwn(input, 'ttl') ? input['ttl'] : undefined;
  const resolved = { ...resolveReferences(finder, kind, input), ...overrides };
  checkTtl(kind, ttl);
  const whole = stored === null ? input : mergePatch(kind.definition.fields, stored.value, input);
  const context = {
    flavor: 'traditional_compatible',
    now: Date.now() / 1000,
    updating: stored !== null,
  } as const;
  const { entity, issues } = kind.validator.validate({ input: whole, overrides: resolved }, context);
  if (issues !== null) throw schemaViolation(withForeignIssues(kind.name, whole, issues, context));
  // Kong: a patch may say another id, which is looked at and changes nothing.
  entity['id'] = stored?.key ?? String(entity['id']).toLowerCase();
  const record = recordOf(kind, entity);
  const refused = [...maskIssues(kind, entity), ...limitIssues(record)];
  if (refused.length > 0) throw schemaViolation(refused);
  return { record, ttlMs: timeLeft(ttl, stored) };
}

function recordOf(kind: KindIndex, entity: Values): Required<RecordInput> {
  const unique: Record<string, string> = {};
  for (const { name } of kind.uniques) {
    const text = entity[name];
    if (typeof text === 'string') unique[name] = text;
  }
  const owners = [...referencedIds(kind, entity)].map(([field, id]) => ({
    kind: referenceOf(kind.name, field)?.kind ?? '',
    id,
  }));
  return { key: String(entity['id']), value: withoutTtl(entity), unique, owners };
}

function limitIssues({ value, unique }: Required<RecordInput>): Issue[] {
  const issues = Object.entries(unique)
    .filter(([, text]) => !isName(text))
    .map(([field]): Issue => ({ at: [field], message: `must be 1 to ${MAX_NAME} characters, without NUL` }));
  if (issues.length > 0 || JSON.stringify(value).length <= MAX_VALUE) return issues;
  return [{ at: [ENTITY], message: `must not have more than ${MAX_VALUE} characters as JSON` }];
}

/** Seconds that are given → milliseconds. 0 is no end; a patch without any keeps the time. */
function timeLeft(ttl: unknown, stored: StoredRecord | null): number | null {
  if (typeof ttl === 'number') return ttl === 0 ? null : ttl * 1000;
  const kept = ttl === undefined ? (stored?.ttlMs ?? null) : null;
  return kept === null ? null : Math.max(1, kept);
}
