/** The file's shape: its top-level keys, and every entity that stands in it, nested or not. */
import { fromKinds } from '../../entities/plugin-entities.ts';
import { CompiledRecord, NO_EXTRAS } from '../../entities/schema/compile.ts';
import type { CheckContext, Fields, Values } from '../../entities/schema/field.ts';
import { Issues, type Segment } from '../../entities/schema/issue.ts';
import { MESSAGES } from '../../entities/schema/messages.ts';
import type { Problems } from './problems.ts';
import { allKinds, type Kind, LIST_ALIASES } from './kinds.ts';

/** One entity of the file. */
export interface Item {
  readonly kind: Kind;
  readonly raw: Values;
  /** The key of the list that it stands in: the kind's name, or decK's name for a list of members. */
  readonly list: string;
  readonly index: number;
  /** The entity that it is nested in. */
  readonly parent: Item | null;
  /** The field that refers to the parent. */
  readonly parentField: string | null;
  /** Given or derived; see ids.ts. */
  id: string;
}

export type Items = Map<string, Item[]>;

export function placeOf(item: Item): Segment[] {
  const at = item.parent === null ? [] : placeOf(item.parent);
  at.push(item.list, item.index);
  return at;
}

const HEAD: Fields = {
  _format_version: { type: 'string', required: true, one_of: ['1.1', '2.1', '3.0'] },
  _transform: { type: 'boolean', default: true },
  _comment: { type: 'string' },
  _ignore: { type: 'array', elements: { type: 'json' } },
};

const head = new CompiledRecord(HEAD, []);
const headExtras = fromKinds(() => ({
  ...NO_EXTRAS,
  ignored: new Set([...allKinds().keys(), ...LIST_ALIASES.keys()]),
}));

/** decK writes these; Kong does not read them. */
const DECK_KEYS: ReadonlyMap<string, string> = new Map([
  ['_info', 'remove it'],
  ['_workspace', 'remove it: there is one workspace'],
  ['_konnect', 'remove it'],
  [
    '_plugin_configs',
    "write the shared configuration into each plugin's config, or share it with a YAML anchor",
  ],
]);

export interface Head {
  readonly version: string;
  readonly transform: boolean;
}

export function readHead(file: Values, problems: Problems, context: CheckContext): Head {
  const run = new Issues(context);
  const values = head.run(file, run, headExtras());
  for (const { at, message } of run.list) {
    const key = at[0];
    const deck = message === MESSAGES.unknown && typeof key === 'string' ? DECK_KEYS.get(key) : undefined;
    const text = deck === undefined ? message : `${message}: decK's, not Kong's; ${deck}`;
    problems.add({ at, message: text, kind: 'format' });
  }
  return { version: String(values['_format_version']), transform: values['_transform'] !== false };
}

export function collectItems(file: Values, problems: Problems): Items {
  const items = new Map<string, Item[]>([...allKinds().keys()].map((name) => [name, []]));
  const lists = [...allKinds().keys(), ...LIST_ALIASES.keys()];
  for (const list of lists) {
    const kind = kindOfList(list);
    if (kind !== undefined)
      collectList(file, { kind, list, parent: null, parentField: null }, items, problems);
  }
  return items;
}

interface Slot {
  readonly kind: Kind;
  readonly list: string;
  readonly parent: Item | null;
  readonly parentField: string | null;
  /** The field that an entry of a list of members stands for. */
  readonly member?: string;
}

/** Recursion follows the relations between kinds, which have no cycle. */
function collectList(holder: Values, slot: Slot, items: Items, problems: Problems): void {
  const { kind, list: name, parent, parentField, member } = slot;
  if (!Object.hasOwn(holder, name)) return;
  const list = holder[name];
  if (list === null || isEmptyRecord(list)) return;
  const listPlace = (): Segment[] => [...(parent === null ? [] : placeOf(parent)), name];
  if (!Array.isArray(list)) {
    problems.add({ at: listPlace(), message: MESSAGES.array, kind: 'schema', item: parent });
    return;
  }
  for (const [index, entry] of list.entries()) {
    const raw: unknown = member !== undefined && isNaming(entry) ? { [member]: entry } : entry;
    if (!isRecord(raw)) {
      problems.add({ at: [...listPlace(), index], message: MESSAGES.record, kind: 'schema', item: parent });
      continue;
    }
    const item: Item = { kind, raw, list: name, index, parent, parentField, id: '' };
    items.get(kind.name)?.push(item);
    collectNested(item, items, problems);
  }
}

function collectNested(item: Item, items: Items, problems: Problems): void {
  const { children, members } = item.kind;
  for (const [name, field] of children) {
    const kind = kindOfList(name);
    if (kind !== undefined) {
      collectList(item.raw, { kind, list: name, parent: item, parentField: field }, items, problems);
    }
  }
  const kind = allKinds().get(members?.kind ?? '');
  if (members === null || kind === undefined) return;
  const { key, holder, member } = members;
  collectList(item.raw, { kind, list: key, parent: item, parentField: holder, member }, items, problems);
}

function kindOfList(name: string): Kind | undefined {
  return allKinds().get(LIST_ALIASES.get(name) ?? name);
}

/** `bob`, `{ username: bob }`, `{ id: … }` */
function isNaming(entry: unknown): boolean {
  return typeof entry === 'string' || isRecord(entry);
}

export function isRecord(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isEmptyRecord(value: unknown): boolean {
  return isRecord(value) && Object.keys(value).length === 0;
}
