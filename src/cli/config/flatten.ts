/**
 * A file's entities as a flat list, nested ones with the field that refers to their parent. Everything else about them
 * is left as the file says it: the server that gets them validates them.
 */
import { DEFINITIONS } from '../../entities/registry.ts';
import { CommandError } from '../command.ts';
import type { MergedFile } from './files.ts';
import { childrenOf, type ConfigKind, configKind, isConfigKind } from './kinds.ts';
import { isObject } from './server.ts';

type Values = Readonly<Record<string, unknown>>;

export interface Wanted {
  readonly kind: ConfigKind;
  /** Without nested entities and notes. References are as the file has them. */
  readonly values: Values;
  readonly parent: { readonly field: string; readonly wanted: Wanted } | null;
  /** `kong.yml: services[2].routes[0]` */
  readonly place: string;
  /** Given, found or made by `match.ts`. */
  id: string | null;
}

const NOTES: ReadonlySet<string> = new Set(['_comment', '_ignore', '_config']);

const HEAD: ReadonlySet<string> = new Set([
  '_format_version',
  '_transform',
  '_comment',
  '_ignore',
  '_info',
  '_workspace',
  '_konnect',
  '_plugin_configs',
]);

/** Kinds in a file that cannot be synced. */
const REFUSED: Readonly<Record<string, string>> = {
  oauth2_tokens: 'tokens are no configuration',
  workspaces: 'there is one workspace, default',
};

/** @throws CommandError with every place where something else stands than a list of entities. */
export function flatten(merged: MergedFile): Wanted[] {
  const flat = new Flattener(merged.defaults);
  for (const { name, values } of merged.files) flat.file(name, values);
  if (flat.problems.length > 0) throw new CommandError(flat.problems.slice(0, 100).join('\n'));
  return flat.list;
}

class Flattener {
  readonly list: Wanted[] = [];
  readonly problems: string[] = [];
  readonly #defaults: Readonly<Record<string, Values>>;
  readonly #children = new Map<ConfigKind, ReturnType<typeof childrenOf>>();

  constructor(defaults: Readonly<Record<string, Values>>) {
    this.#defaults = defaults;
  }

  file(name: string, values: Values): void {
    for (const [key, list] of Object.entries(values)) {
      if (HEAD.has(key)) continue;
      if (isConfigKind(key)) this.#list(configKind(key), list, null, `${name}: ${key}`);
      else if (!isNothing(list)) this.problems.push(`${name}: ${key}: ${REFUSED[key] ?? 'unknown field'}`);
    }
  }

  #list(kind: ConfigKind, list: unknown, parent: Wanted['parent'], place: string): void {
    if (isNothing(list)) return;
    if (!Array.isArray(list)) {
      this.problems.push(`${place}: expected an array`);
      return;
    }
    for (const [index, raw] of list.entries()) {
      const here = `${place}[${index}]`;
      // Kong's certificates list the names of their SNIs.
      if (kind.name === 'snis' && typeof raw === 'string') this.#one(kind, { name: raw }, parent, here);
      else if (isObject(raw)) this.#one(kind, raw, parent, here);
      else this.problems.push(`${here}: expected a record`);
    }
  }

  #one(kind: ConfigKind, raw: Values, parent: Wanted['parent'], place: string): void {
    const children = this.#childrenOf(kind);
    const own: Record<string, unknown> = { ...this.#defaults[kind.name.replace(/s$/, '')] };
    for (const [key, value] of Object.entries(raw)) {
      if (!NOTES.has(key) && !children.some(({ child }) => child.name === key)) own[key] = value;
    }
    const members = MEMBERS[kind.name];
    const listed = members === undefined ? undefined : own[members.key];
    if (members !== undefined) delete own[members.key];
    const given = typeof own['id'] === 'string' ? own['id'].toLowerCase() : null;
    const wanted: Wanted = { kind, values: expand(kind, own), parent, place, id: given };
    this.list.push(wanted);
    for (const { child, field } of children) {
      this.#list(child, raw[child.name], { field, wanted }, `${place}.${child.name}`);
    }
    if (members !== undefined) this.#members(wanted, members, listed, place);
  }

  #childrenOf(kind: ConfigKind): ReturnType<typeof childrenOf> {
    let children = this.#children.get(kind);
    if (children === undefined) this.#children.set(kind, (children = childrenOf(kind)));
    return children;
  }

  /** `groups` of a consumer, `consumers` of a group: names, or objects with a name. */
  #members(holder: Wanted, { key, field, other }: Members, list: unknown, place: string): void {
    if (!Array.isArray(list)) {
      if (!isNothing(list)) this.problems.push(`${place}.${key}: expected an array`);
      return;
    }
    for (const [index, one] of (list as unknown[]).entries()) {
      this.list.push({
        kind: configKind('consumer_group_consumers'),
        values: { [other]: one },
        parent: { field, wanted: holder },
        place: `${place}.${key}[${index}]`,
        id: null,
      });
    }
  }
}

interface Members {
  readonly key: string;
  readonly field: string;
  readonly other: string;
}

const MEMBERS: Readonly<Record<string, Members>> = {
  consumers: { key: 'groups', field: 'consumer', other: 'consumer_group' },
  consumer_groups: { key: 'consumers', field: 'consumer_group', other: 'consumer' },
};

const DEFINED = new Map(DEFINITIONS.map((definition) => [definition.name, definition]));

/** What a server makes of the input: fields that stand for others, a target's port. */
function expand(kind: ConfigKind, own: Record<string, unknown>): Values {
  const definition = DEFINED.get(kind.name);
  let values = own;
  for (const [name, { expand: parts }] of Object.entries(definition?.shorthand_fields ?? {})) {
    const given = values[name];
    if (name in (definition?.fields ?? {}) || typeof given !== 'string' || given === '') continue;
    const { [name]: _, ...rest } = values;
    values = { ...rest, ...parts(given) };
  }
  if (kind.name === 'targets' && typeof values['target'] === 'string') definition?.transform?.(values);
  return definition?.ttl === true || kind.ttl ? withTimeLeft(values) : values;
}

/** A file's seconds count from the creation that it says, an Admin API's from now on; 0 would be no end. */
function withTimeLeft(values: Values): Values {
  const { ttl, created_at: createdAt } = values;
  if (typeof ttl !== 'number' || typeof createdAt !== 'number' || ttl <= 0) return values;
  return { ...values, ttl: Math.max(1, Math.ceil(createdAt + ttl - Date.now() / 1000)) };
}

function isNothing(list: unknown): boolean {
  return list === null || list === undefined || (isObject(list) && Object.keys(list).length === 0);
}
