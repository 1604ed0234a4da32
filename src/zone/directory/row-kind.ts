/**
 * What the directory must know of a kind of entity. The list is plain data that a layer above gives: main and workers
 * make it from the same definitions, so that numbers of kinds and fields mean the same on both sides.
 */

export interface DirectoryKind {
  readonly name: string;
  /** All fields of a complete entity, in their order, `id` among them. */
  readonly fields: readonly string[];
  /** Fields by whose text an entity is found. */
  readonly uniques: readonly string[];
  /** The field, a reference (`{ id }`), by which entities are listed; null: by none. */
  readonly owner: string | null;
  /** The field `ttl` is the second since 1970 at which the entity ends, or null. */
  readonly ttl: boolean;
}

/** A kind with its numbers. */
export interface RowKind extends DirectoryKind {
  /** From 1 on: 0 is no row. */
  readonly number: number;
  readonly fieldNumbers: ReadonlyMap<string, number>;
  /** Numbers of the unique fields. */
  readonly uniqueNumbers: readonly number[];
  /** Octets before the first field of a row. */
  readonly headBytes: number;
  /** All fields, null. */
  readonly blank: Readonly<Record<string, null>>;
}

/** What stands in the index for an entity: its id, its place in its owner's list, or the text of a unique field. */
export const BY_ID = 0;
export const BY_OWNER = 1;
/** Plus the number of the unique field in the order of `uniques`. */
export const BY_UNIQUE = 2;

/** Bounds that the layout of rows and tags has. */
const MAX_KINDS = 63;
const MAX_FIELDS = 31;
export const MAX_UNIQUES = 14;
const HEAD = 20;
const OWNED_HEAD = 44;

export function rowKinds(kinds: readonly DirectoryKind[]): ReadonlyMap<string, RowKind> {
  if (kinds.length > MAX_KINDS) throw new RangeError('too many kinds for a directory');
  return new Map(kinds.map((kind, at) => [kind.name, rowKind(kind, at + 1)]));
}

function rowKind(kind: DirectoryKind, number: number): RowKind {
  const { name, fields, uniques, owner } = kind;
  if (fields.length > MAX_FIELDS || uniques.length > MAX_UNIQUES) {
    throw new RangeError(`${name} has too many fields for a directory`);
  }
  return {
    ...kind,
    number,
    fieldNumbers: new Map(fields.map((field, at) => [field, at])),
    uniqueNumbers: uniques.map((field) => fields.indexOf(field)),
    headBytes: owner === null ? HEAD : OWNED_HEAD,
    blank: Object.fromEntries(fields.map((field) => [field, null])),
  };
}
