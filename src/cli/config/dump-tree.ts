/**
 * Entities → a declarative file as decK and Kong read it: children nested in their parents, references by name where
 * there is one, defaults left out, everything in an order that does not depend on ids or on when things were made.
 */
import { contentText } from './compare.ts';
import { withoutDefaults } from './field-schema.ts';
import { CONFIG_KINDS, type ConfigKind, childrenOf, configKind, idOf } from './kinds.ts';
import type { Schemas } from './schemas.ts';
import type { Entity, State } from './state.ts';

export interface DumpOptions {
  readonly withIds: boolean;
  readonly selectTags: readonly string[];
  /** What is referred to and not in the state: its name, else its id. */
  readonly nameOutside: (kind: ConfigKind, id: string) => string;
}

const MEMBERS = 'consumer_group_consumers';

/** Fields of the server's own. */
const LEFT_OUT = ['id', 'created_at', 'updated_at', 'ws_id', 'cert_digest'];

/** Kinds that others can refer to only by id. */
const BY_ID: ReadonlySet<string> = new Set(['certificates', 'ca_certificates']);

export class DumpTree {
  readonly #state: State;
  readonly #schemas: Schemas;
  readonly #options: DumpOptions;
  /** Child kind and parent's id → children. */
  readonly #nested = new Map<string, Entity[]>();
  readonly #flat = new Map<ConfigKind, Entity[]>();
  /** Ids that must be written, since something refers to them. */
  readonly #needed = new Set<string>();
  /** Passwords, or secrets of clients, are among them: they are hashed. */
  hashed = false;

  constructor(state: State, schemas: Schemas, options: DumpOptions) {
    this.#state = state;
    this.#schemas = schemas;
    this.#options = options;
    for (const kind of CONFIG_KINDS) for (const entity of state.all(kind).values()) this.#place(kind, entity);
  }

  /** Kinds that stand at the top, each with its entities one by one. */
  *kinds(): Generator<{ readonly name: string; readonly entities: Iterable<Entity> }> {
    for (const kind of CONFIG_KINDS) {
      const list = this.#flat.get(kind);
      if (list === undefined || kind.name === MEMBERS) continue;
      yield { name: kind.name, entities: this.#written(kind, list, null) };
    }
  }

  #place(kind: ConfigKind, entity: Entity): void {
    if (kind.name === 'oauth2_credentials' && entity['hash_secret'] === true) this.hashed = true;
    if (kind.name === 'basicauth_credentials') {
      this.hashed = true;
      // The consumer's id is part of what was hashed.
      this.#needed.add(`consumers ${idOf(entity['consumer']) ?? ''}`);
    }
    const home = kind.name === MEMBERS ? 'consumer' : this.#homeOf(kind, entity);
    if (home === null) {
      add(this.#flat, kind, entity);
      this.#needReferred(kind, entity);
    } else {
      add(this.#nested, `${kind.name} ${idOf(entity[home]) ?? ''}`, entity);
    }
  }

  /** The field of the one parent that it stands in. */
  #homeOf(kind: ConfigKind, entity: Entity): string | null {
    const fields = Object.keys(kind.references).filter((field) => idOf(entity[field]) !== null);
    const [field] = fields;
    if (field === undefined || fields.length > 1 || !kind.nestedBy.includes(field)) return null;
    const parent = configKind(kind.references[field] ?? '');
    return this.#state.get(parent, idOf(entity[field]) ?? '') === null ? null : field;
  }

  #needReferred(kind: ConfigKind, entity: Entity): void {
    for (const [field, name] of Object.entries(kind.references)) {
      const id = idOf(entity[field]);
      const parent = id === null ? null : this.#state.get(configKind(name), id);
      if (parent !== null && nameIn(configKind(name), parent) === null)
        this.#needed.add(`${name} ${String(id)}`);
    }
  }

  *#written(kind: ConfigKind, list: readonly Entity[], home: string | null): Generator<Entity> {
    const keyed = list.map((entity) => ({ entity, order: this.#orderOf(kind, entity) }));
    keyed.sort(
      (a, b) => compareText(a.order, b.order) || compareText(String(a.entity['id']), String(b.entity['id'])),
    );
    for (const { entity } of keyed) yield this.#one(kind, entity, home);
  }

  /** By name; of those without one by what they are. */
  #orderOf(kind: ConfigKind, entity: Entity): string {
    if (kind.name === 'plugins') {
      const scopes = Object.keys(kind.references).map(
        (field) => this.#referenceText(kind, field, entity) ?? '',
      );
      return [String(entity['name']), ...scopes].join('\u0000');
    }
    const name = nameIn(kind, entity) ?? entity['target'] ?? entity['group'] ?? entity['custom_id'];
    return typeof name === 'string' ? `0${name}` : `1${contentText(entity, this.#schemas.of(kind, entity))}`;
  }

  #one(kind: ConfigKind, entity: Entity, home: string | null): Entity {
    const { selectTags, withIds } = this.#options;
    const own = withoutDefaults(this.#schemas.of(kind, entity), entity);
    for (const name of LEFT_OUT) delete own[name];
    for (const field of Object.keys(kind.references)) {
      const text = field === home ? null : this.#referenceText(kind, field, entity);
      if (text === null) delete own[field];
      else own[field] = text;
    }
    if (Array.isArray(own['tags'])) {
      const tags = (own['tags'] as string[]).filter((tag) => !selectTags.includes(tag)).sort();
      if (tags.length > 0) own['tags'] = tags;
      else delete own['tags'];
    }
    const needed =
      withIds || BY_ID.has(kind.name) || this.#needed.has(`${kind.name} ${String(entity['id'])}`);
    return { ...(needed && { id: entity['id'] }), ...inOrder(own), ...this.#children(kind, entity) };
  }

  #children(kind: ConfigKind, entity: Entity): Record<string, unknown> {
    const children: Record<string, unknown> = {};
    for (const { child, field } of childrenOf(kind)) {
      const list = this.#nested.get(`${child.name} ${String(entity['id'])}`);
      if (list === undefined) continue;
      if (child.name === MEMBERS) {
        if (kind.name !== 'consumers') continue;
        const names = list.map((member) => String(this.#referenceText(child, 'consumer_group', member)));
        children['groups'] = names.sort().map((name) => ({ name }));
      } else {
        // One that this field does not hold here stands in another parent of the same id, of which there is none.
        children[child.name] = [...this.#written(child, list, field)];
      }
    }
    return children;
  }

  #referenceText(kind: ConfigKind, field: string, entity: Entity): string | null {
    const id = idOf(entity[field]);
    if (id === null) return null;
    const target = configKind(kind.references[field] ?? '');
    const referred = this.#state.get(target, id);
    return referred === null ? this.#options.nameOutside(target, id) : (nameIn(target, referred) ?? id);
  }
}

function add<K>(map: Map<K, Entity[]>, key: K, entity: Entity): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [entity]);
  else list.push(entity);
}

/** The name by which a reference may say it. */
function nameIn(kind: ConfigKind, entity: Entity): string | null {
  const name = kind.key === null ? null : entity[kind.key];
  return typeof name === 'string' ? name : null;
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

const FIRST = ['name', 'username', 'instance_name'];

/** Names first, then by the alphabet. */
function inOrder(own: Record<string, unknown>): Record<string, unknown> {
  const rest = Object.keys(own)
    .filter((name) => !FIRST.includes(name))
    .sort();
  const first = FIRST.filter((name) => name in own);
  return Object.fromEntries([...first, ...rest].map((name) => [name, own[name]]));
}
