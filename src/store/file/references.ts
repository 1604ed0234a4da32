/** Who is who in a file: ids, names, references between entities, and what must be unique. */
import type { ForeignField } from '../../entities/schema/field.ts';
import { isUuid } from '../../entities/schema/string-check.ts';
import { toldValue } from '../../entities/secrets.ts';
import { ContentIds, deriveId, idKey } from './ids.ts';
import { isRecord, type Item, type Items, placeOf } from './items.ts';
import { allKinds, type Kind } from './kinds.ts';
import type { Problems } from './problems.ts';

/** Stands in for a reference that is already reported, so that the entity's own checks do not report it again. */
const UNRESOLVED = '00000000-0000-0000-0000-000000000000';

type Index = Map<string, Map<string, Item>>;

export class References {
  readonly #byId: Index = new Map();
  readonly #byKey: Index = new Map();
  readonly #contentIds = new ContentIds();
  readonly #problems: Problems;
  readonly #doubles = new Set<Item>();
  /** Items whose id or name another has; they are reported. */
  readonly repeated = new Set<Item>();

  /** Gives every item its id and reports repeated ids and names. Kinds come parents first. */
  constructor(items: Items, problems: Problems) {
    this.#problems = problems;
    for (const [name, list] of items) {
      this.#byId.set(name, new Map());
      this.#byKey.set(name, new Map());
      for (const item of list) {
        item.id = this.#idOf(item);
        this.#register(item);
      }
      // decK writes one membership from both sides.
      if (this.#doubles.size > 0)
        items.set(
          name,
          list.filter((item) => !this.#doubles.has(item)),
        );
    }
  }

  /** The input's references as `{ id }`; what does not resolve is reported. */
  resolve(item: Item): Record<string, unknown> {
    const overrides: Record<string, unknown> = { ...item.kind.hidden, id: item.id };
    for (const { name, field } of item.kind.relations) {
      const value = item.raw[name];
      if (name === item.parentField && item.parent !== null) {
        overrides[name] = { id: item.parent.id };
        if (value !== undefined && value !== null) this.#checkNested(item, name, field);
      } else if (value !== undefined && value !== null) {
        overrides[name] = { id: this.#find(field, value)?.id ?? this.#missing(item, name, field) };
      }
    }
    return overrides;
  }

  /** A nested entity may name its parent, and nothing else. */
  #checkNested(item: Item, name: string, field: ForeignField): void {
    const found = this.#find(field, item.raw[name]);
    if (found === item.parent) return;
    const at = [...placeOf(item), name];
    if (found === undefined) this.#missing(item, name, field);
    else this.#problems.add({ at, message: 'value must be null', kind: 'schema', item });
  }

  #missing(item: Item, name: string, field: ForeignField): string {
    const value = item.raw[name];
    const at = [...placeOf(item), name];
    if (typeof value === 'string' || isRecord(value)) {
      const said = typeof value === 'string' ? value : JSON.stringify(value);
      const message = `invalid reference '${name}: ${said}' (no such entry in '${field.reference}')`;
      this.#problems.add({ at, message, kind: 'reference', item });
    } else {
      this.#problems.add({ at, message: 'expected a string', kind: 'schema', item });
    }
    return UNRESOLVED;
  }

  /** By name or id, as Kong; `{ id }` and `{ name }` as decK. */
  #find(field: ForeignField, value: unknown): Item | undefined {
    const key = allKinds().get(field.reference)?.key ?? 'name';
    const wanted = isRecord(value) ? (value['id'] ?? value[key] ?? value['name']) : value;
    if (typeof wanted !== 'string') return undefined;
    return this.#byKey.get(field.reference)?.get(wanted) ?? this.#byId.get(field.reference)?.get(wanted);
  }

  #idOf(item: Item): string {
    const given = item.raw['id'];
    // A wrong id is reported with the entity's other fields.
    if (given !== undefined && given !== null) return isUuid(given) ? given : (given as string);
    const key = this.#pairKey(item) ?? idKey(item);
    if (key !== null) return deriveId(item.kind.name, key);
    const references = new Map<string, string>();
    for (const { name, field } of item.kind.relations) {
      const target = name === item.parentField ? item.parent : this.#find(field, item.raw[name]);
      if (target !== null && target !== undefined) references.set(name, target.id);
    }
    return this.#contentIds.idOf(item, references);
  }

  /** A membership is named by the two that it joins, from whichever side it is written. */
  #pairKey(item: Item): string | null {
    const { definition, relations } = item.kind;
    const pair = definition.cache_key ?? [];
    if (pair.length !== 2 || relations.length !== 2) return null;
    const ids = pair.map((name) => {
      if (name === item.parentField) return item.parent?.id;
      const relation = relations.find((one) => one.name === name);
      return relation === undefined ? undefined : this.#find(relation.field, item.raw[name])?.id;
    });
    return ids.includes(undefined) ? null : ids.join(':');
  }

  #register(item: Item): void {
    const { kind } = item;
    const byKey = this.#byKey.get(kind.name);
    const key = kind.key === null ? undefined : item.raw[kind.key];
    if (kind.key !== null && typeof key === 'string') {
      if (byKey?.has(key) === true) return this.#repeated(item, kind.key, key);
      byKey?.set(key, item);
    }
    const byId = this.#byId.get(kind.name);
    const first = byId?.get(item.id);
    if (first !== undefined && this.#isOtherSide(first, item)) {
      this.#doubles.add(item);
      return;
    }
    if (first !== undefined) return this.#repeated(item, 'primary key', item.id);
    byId?.set(item.id, item);
  }

  #isOtherSide(first: Item, second: Item): boolean {
    const isMember = (item: Item): boolean => item.list === item.parent?.kind.members?.key;
    return isMember(first) && isMember(second) && first.parentField !== second.parentField;
  }

  #repeated(item: Item, field: string, value: string): void {
    this.repeated.add(item);
    this.#problems.add({
      at: placeOf(item),
      message: repeatedMessage(item.kind, field, value),
      kind: 'uniqueness',
      item,
    });
  }
}

function repeatedMessage(kind: Kind, field: string, value: string): string {
  const told = toldValue(kind.definition, field, value);
  return `uniqueness violation: '${kind.name}' entity with ${field} set to '${told}' already declared`;
}

/** Unique fields beside names, and identities of several fields, on valid entities. */
export class UniqueValues {
  readonly #seen = new Map<string, Set<string>>();
  readonly #problems: Problems;

  constructor(problems: Problems) {
    this.#problems = problems;
  }

  check(item: Item, entity: Readonly<Record<string, unknown>>): void {
    const { kind } = item;
    for (const field of kind.uniqueFields) {
      const value = entity[field];
      if (value !== null && value !== undefined) this.#one(item, field, textOf(value));
    }
    const identity = kind.definition.cache_key ?? [];
    if (identity.length > 1) {
      this.#one(item, identity.join(', '), identity.map((name) => textOf(entity[name])).join(', '));
    }
  }

  #one(item: Item, field: string, value: string): void {
    const slot = `${item.kind.name} ${field}`;
    let seen = this.#seen.get(slot);
    if (seen === undefined) this.#seen.set(slot, (seen = new Set()));
    if (seen.has(value)) {
      const message = repeatedMessage(item.kind, field, value);
      this.#problems.add({ at: placeOf(item), message, kind: 'uniqueness', item });
    }
    seen.add(value);
  }
}

function textOf(value: unknown): string {
  if (isRecord(value)) return String(value['id']);
  return typeof value === 'string' ? value : '';
}
