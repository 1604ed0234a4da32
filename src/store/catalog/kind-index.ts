/** What of each kind's entities is indexed: unique values, references, tags, expiry. Follows from the definitions. */
import { fromKinds, pluginKinds } from '../../entities/plugin-entities.ts';
import { isRecordKind } from '../../entities/registry.ts';
import { allKinds, INTERNAL_KINDS, type Kind } from '../file/kinds.ts';
import type { Selector } from '../config-store.ts';
import type { EntityCodec } from './codec.ts';
import type { Values } from '../../entities/schema/field.ts';
import { isUuid } from '../../entities/schema/string-check.ts';

/** Fields whose values together no two entities of the kind may share. */
export interface UniqueIndex {
  /** Their names, joined by commas. */
  readonly name: string;
  readonly fields: readonly string[];
}

export interface Reference {
  readonly field: string;
  readonly kind: string;
  readonly onDelete: 'cascade' | 'restrict';
}

export interface KindIndex extends Kind {
  readonly uniques: readonly UniqueIndex[];
  readonly references: readonly Reference[];
  /** Fields that are input only. */
  readonly transient: readonly string[];
}

/** Children that go with their parent although the reference does not say so (Kong's certificates delete their SNIs). */
const OWNED: ReadonlySet<string> = new Set(['snis.certificate']);

/** Lists of ids that are references as well (Kong checks these when a CA certificate is deleted). */
const ID_LISTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  services: { ca_certificates: 'ca_certificates' },
};

function indexOf(kind: Kind): KindIndex {
  const { name, definition, relations } = kind;
  const single = Object.entries(definition.fields).filter(([, field]) => field.unique === true);
  const uniques = single.map(([field]) => ({ name: field, fields: [field] }));
  const identity = definition.cache_key ?? [];
  if (identity.length > 1 && name !== 'filter_chains') {
    uniques.push({ name: identity.join(','), fields: [...identity] });
  }
  const references: Reference[] = relations.map(({ name: field, field: { reference, on_delete } }) => ({
    field,
    kind: reference,
    onDelete: on_delete === 'cascade' || OWNED.has(`${name}.${field}`) ? 'cascade' : 'restrict',
  }));
  for (const [field, reference] of Object.entries(ID_LISTS[name] ?? {})) {
    references.push({ field, kind: reference, onDelete: 'restrict' });
  }
  const transient = Object.keys(definition.fields).filter(
    (field) => definition.fields[field]?.transient === true,
  );
  return { ...kind, uniques, references, transient };
}

const all = fromKinds((): readonly KindIndex[] =>
  [...allKinds().values(), ...INTERNAL_KINDS].map((kind) => indexOf(kind)),
);

function indexBy(test: (kind: KindIndex) => boolean): () => ReadonlyMap<string, KindIndex> {
  return fromKinds(() => new Map(all().flatMap((kind) => (test(kind) ? [[kind.name, kind]] : []))));
}

const configuration = indexBy(({ name }) => !isRecordKind(name));
/** Not configuration: it never enters the log (`records/entity-records.ts`). */
const records = indexBy(({ name }) => isRecordKind(name));

export function kindIndexes(): readonly KindIndex[] {
  return [...configuration().values()];
}

/** @throws Error for a name that is no kind: the caller's mistake. */
export function kindIndex(name: string): KindIndex {
  const kind = configuration().get(name);
  if (kind === undefined) throw new Error(`there is no kind '${name}'`);
  return kind;
}

/** A kind whose entities are records. @throws Error likewise */
export function recordKind(name: string): KindIndex {
  const kind = records().get(name);
  if (kind === undefined) throw new Error(`'${name}' are no records`);
  return kind;
}

/** Which field of which kind refers to it, by `kind.field`. */
export function referenceOf(kind: string, field: string): Reference | undefined {
  const index = records().get(kind) ?? configuration().get(kind);
  return index?.references.find((reference) => reference.field === field);
}

/** Entities of a plugin that this node does not have: they are kept, and nobody can write them. */
export function isKept(name: string): boolean {
  return !configuration().has(name) && !records().has(name);
}

/** What is indexed of entities that are kept: references by their form, so that what they refer to is not deleted. */
export type StoredIndex = Pick<KindIndex, 'uniques' | 'references'> | null;

export function storedIndex(name: string): StoredIndex {
  return configuration().get(name) ?? (records().has(name) ? kindIndex(name) : null);
}

/** Another text when a plugin's kind is indexed otherwise; empty for one that is kept. */
export function indexText(name: string): string {
  if (!pluginKinds().has(name)) return '';
  const { uniques, references } = kindIndex(name);
  return JSON.stringify([uniques, references.map(({ field }) => field)]);
}

/** The texts under which an entity may stand in a unique index, first the one that is written; none when it does not. */
export function uniqueTexts(
  kind: string,
  index: UniqueIndex,
  entity: Values,
  codec: EntityCodec,
): readonly string[] {
  const [first] = index.fields;
  if (index.fields.length === 1 && first !== undefined) {
    const value = entity[first];
    return value === null || value === undefined ? [] : codec.uniqueTexts(kind, first, plain(value));
  }
  return [JSON.stringify(index.fields.map((field) => plainOrNull(entity[field])))];
}

/** A reference stands for its id. */
function plain(value: unknown): string {
  if (typeof value === 'object' && value !== null && 'id' in value) return String(value.id);
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function plainOrNull(value: unknown): string | null {
  return value === null || value === undefined ? null : plain(value);
}

/** The field of which a selector's key is a value; null: the kind has no such key. */
export function keyField({ definition, uniques }: KindIndex, { by, within }: Selector): string | null {
  const field = by ?? definition.endpoint_key;
  if (field !== undefined) return field;
  const together = uniques.find(({ fields }) => fields.length === 2 && fields[0] === within?.field);
  return together?.fields[1] ?? null;
}

/** Ids that the entity refers to, each with its field. */
export function* referencedIds(
  kind: StoredIndex,
  entity: Values,
): Generator<readonly [field: string, id: string]> {
  const fields = kind === null ? Object.keys(entity) : kind.references.map(({ field }) => field);
  for (const field of fields) {
    const value = entity[field];
    if (kind === null && !isReference(value)) continue;
    if (Array.isArray(value)) for (const id of new Set(value as string[])) yield [field, id];
    else if (typeof value === 'object' && value !== null) yield [field, (value as { id: string }).id];
  }
}

function isReference(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return 'id' in value && isUuid(value.id) && Object.keys(value).length === 1;
}
