/** The file's shape: its top-level keys, and every entity that stands in it, nested or not. */
import { CompiledRecord, NO_EXTRAS } from '../../entities/schema/compile.ts';
import type { CheckContext, Fields, Values } from '../../entities/schema/field.ts';
import { Issues, type Segment } from '../../entities/schema/issue.ts';
import { MESSAGES } from '../../entities/schema/messages.ts';
import type { Problems } from './problems.ts';
import { type Kind, KINDS } from './kinds.ts';

/** One entity of the file. */
export interface Item {
  readonly kind: Kind;
  readonly raw: Values;
  readonly index: number;
  /** The entity that it is nested in. */
  readonly parent: Item | null;
  /** The field that refers to the parent. */
  readonly parentField: string | null;
  /** Given or derived; see ids.ts. */
  id: string;
}

export type Items = ReadonlyMap<string, Item[]>;

export function placeOf(item: Item): Segment[] {
  const at = item.parent === null ? [] : placeOf(item.parent);
  at.push(item.kind.name, item.index);
  return at;
}

const HEAD: Fields = {
  _format_version: { type: 'string', required: true, one_of: ['1.1', '2.1', '3.0'] },
  _transform: { type: 'boolean', default: true },
  _comment: { type: 'string' },
  _ignore: { type: 'array', elements: { type: 'json' } },
};

const head = new CompiledRecord(HEAD, []);
const headExtras = { ...NO_EXTRAS, ignored: new Set(KINDS.keys()) };

/** decK writes these; Kong does not read them. */
const DECK_KEYS: ReadonlyMap<string, string> = new Map([
  ['_info', 'remove it'],
  ['_workspace', 'remove it: there is one workspace'],
  ['_konnect', 'remove it'],
  [
    '_plugin_configs',
    "write the shared configuration into each plugin's config, or share it with a YAML anchor",
  ],
  ['consumer_groups', 'remove it: consumer groups are not part of Kong Gateway OSS'],
]);

export interface Head {
  readonly version: string;
  readonly transform: boolean;
}

export function readHead(file: Values, problems: Problems, context: CheckContext): Head {
  const run = new Issues(context);
  const values = head.run(file, run, headExtras);
  for (const { at, message } of run.list) {
    const key = at[0];
    const deck = message === MESSAGES.unknown && typeof key === 'string' ? DECK_KEYS.get(key) : undefined;
    const text = deck === undefined ? message : `${message}: decK's, not Kong's; ${deck}`;
    problems.add({ at, message: text, kind: 'format' });
  }
  return { version: String(values['_format_version']), transform: values['_transform'] !== false };
}

export function collectItems(file: Values, problems: Problems): Items {
  const items = new Map<string, Item[]>([...KINDS.keys()].map((name) => [name, []]));
  for (const kind of KINDS.values())
    collectList(file, { kind, parent: null, parentField: null }, items, problems);
  return items;
}

interface Slot {
  readonly kind: Kind;
  readonly parent: Item | null;
  readonly parentField: string | null;
}

/** Recursion follows the relations between kinds, which have no cycle. */
function collectList(holder: Values, slot: Slot, items: Items, problems: Problems): void {
  const { kind, parent, parentField } = slot;
  if (!Object.hasOwn(holder, kind.name)) return;
  const list = holder[kind.name];
  if (list === null || isEmptyRecord(list)) return;
  const listPlace = (): Segment[] => [...(parent === null ? [] : placeOf(parent)), kind.name];
  if (!Array.isArray(list)) {
    problems.add({ at: listPlace(), message: MESSAGES.array, kind: 'schema', item: parent });
    return;
  }
  for (const [index, raw] of list.entries()) {
    if (!isRecord(raw)) {
      problems.add({ at: [...listPlace(), index], message: MESSAGES.record, kind: 'schema', item: parent });
      continue;
    }
    const item: Item = { kind, raw, index, parent, parentField, id: '' };
    items.get(kind.name)?.push(item);
    for (const [childName, field] of kind.children) {
      const child = KINDS.get(childName);
      if (child !== undefined) {
        collectList(raw, { kind: child, parent: item, parentField: field }, items, problems);
      }
    }
  }
}

export function isRecord(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isEmptyRecord(value: unknown): boolean {
  return isRecord(value) && Object.keys(value).length === 0;
}
