/**
 * References of a file → ids: to what the file has, to what the server has, in scope or not. And ids for what the file
 * does not number: those of the entities that it means.
 */
import { randomUUID } from 'node:crypto';
import { isUuid } from '../../entities/schema/string-check.ts';
import { CommandError } from '../command.ts';
import type { AdminClient } from './admin-client.ts';
import type { Wanted } from './flatten.ts';
import { type ConfigKind, configKind, identityTexts } from './kinds.ts';
import { isObject } from './server.ts';
import type { Entity, State } from './state.ts';

/** Field → `{ id }` or null. */
export type Resolved = Record<string, unknown>;

export class FileReferences {
  readonly #current: State;
  readonly #client: AdminClient | null;
  readonly #byName = new Map<string, Wanted>();
  readonly #byId = new Map<string, Wanted>();
  readonly #looked = new Map<string, Promise<string | null>>();

  /** @param client asked for what is not in scope; null: only the file and the state count. */
  constructor(current: State, client: AdminClient | null) {
    this.#current = current;
    this.#client = client;
  }

  /** Makes an entity of the file known to those that refer to it. @throws CommandError when its name is taken. */
  register(wanted: Wanted): void {
    const { kind, values } = wanted;
    if (wanted.id !== null) this.#put(this.#byId, `${kind.name} ${wanted.id}`, wanted);
    const name = kind.key === null ? undefined : values[kind.key];
    if (typeof name === 'string') this.#put(this.#byName, `${kind.name} ${name}`, wanted);
  }

  #put(index: Map<string, Wanted>, key: string, wanted: Wanted): void {
    const other = index.get(key);
    if (other !== undefined && other !== wanted) {
      throw new CommandError(`${wanted.place}: the same ${wanted.kind.singular} stands at ${other.place}`);
    }
    index.set(key, wanted);
  }

  /** @throws CommandError for a reference to nothing. */
  async resolve(wanted: Wanted): Promise<Resolved> {
    const resolved: Resolved = {};
    const { kind, values, parent } = wanted;
    for (const [field, target] of Object.entries(kind.references)) {
      if (parent?.field === field) {
        resolved[field] = { id: parent.wanted.id };
        continue;
      }
      const value = values[field];
      if (value === undefined || value === null) continue;
      const id = await this.#find(configKind(target), value);
      if (id === null) {
        const said = typeof value === 'string' ? value : JSON.stringify(value);
        throw new CommandError(
          `${wanted.place}: ${field}: there is no ${configKind(target).singular} '${said}'`,
        );
      }
      resolved[field] = { id };
    }
    return resolved;
  }

  async #find(kind: ConfigKind, value: unknown): Promise<string | null> {
    const said = isObject(value) ? (value['id'] ?? value['name'] ?? value['username']) : value;
    if (typeof said !== 'string') return null;
    const name = isUuid(said) ? said.toLowerCase() : said;
    const wanted = this.#byName.get(`${kind.name} ${said}`) ?? this.#byId.get(`${kind.name} ${name}`);
    if (wanted !== undefined) return wanted.id;
    if (this.#current.get(kind, name) !== null) return name;
    const known =
      kind.key === null ? null : this.#current.find(kind, identityTexts(kind, { [kind.key]: said }));
    return known ?? this.#lookUp(kind, said);
  }

  /** What is out of scope may still be referred to. */
  #lookUp(kind: ConfigKind, name: string): Promise<string | null> {
    const key = `${kind.name} ${name}`;
    let pending = this.#looked.get(key);
    if (pending === undefined) this.#looked.set(key, (pending = this.#ask(kind, name)));
    return pending;
  }

  async #ask(kind: ConfigKind, name: string): Promise<string | null> {
    if (this.#client === null || kind.path === null) return null;
    const { status, body } = await this.#client.call({ path: `/${kind.path}/${encodeURIComponent(name)}` });
    const entity = isObject(body) && isObject(body['consumer_group']) ? body['consumer_group'] : body;
    return status === 200 && isObject(entity) && typeof entity['id'] === 'string' ? entity['id'] : null;
  }
}

/**
 * Which entity of the server one of the file means: by id, else by what identifies its kind, else (without a name) by
 * being equal. Each is meant once.
 */
export class Matcher {
  readonly #current: State;
  readonly #taken = new Set<string>();
  readonly #seen = new Map<string, Wanted>();
  readonly #contents = new Map<string, string[]>();
  readonly #contentOf: (kind: ConfigKind, entity: Entity) => string;

  constructor(current: State, contentOf: (kind: ConfigKind, entity: Entity) => string) {
    this.#current = current;
    this.#contentOf = contentOf;
  }

  /** Lists those of a kind that nothing but their content identifies. */
  prepare(kind: ConfigKind): void {
    for (const [id, entity] of this.#current.all(kind)) {
      if (identityTexts(kind, entity).length > 0) continue;
      const content = kind.name + this.#contentOf(kind, entity);
      const ids = this.#contents.get(content);
      if (ids === undefined) this.#contents.set(content, [id]);
      else ids.push(id);
    }
  }

  /** Gives `wanted` its id; answers the current entity, or null when it is new. @throws CommandError when meant twice. */
  match(wanted: Wanted, entity: Entity): Entity | null {
    const { kind } = wanted;
    const identities = identityTexts(kind, entity);
    for (const text of identities) {
      const other = this.#seen.get(kind.name + text);
      if (other !== undefined) {
        throw new CommandError(`${wanted.place}: the same ${kind.singular} stands at ${other.place}`);
      }
      this.#seen.set(kind.name + text, wanted);
    }
    const id = wanted.id ?? this.#idFor(kind, entity, identities);
    wanted.id = id ?? newId(kind, entity);
    const current = id === null ? null : this.#current.get(kind, id);
    if (current !== null) this.#taken.add(`${kind.name} ${String(current['id'])}`);
    return current;
  }

  isMeant(kind: ConfigKind, id: string): boolean {
    return this.#taken.has(`${kind.name} ${id}`);
  }

  /** Another of the file has what identifies it. */
  isReplaced(kind: ConfigKind, entity: Entity): boolean {
    return identityTexts(kind, entity).some((text) => this.#seen.has(kind.name + text));
  }

  #idFor(kind: ConfigKind, entity: Entity, identities: readonly string[]): string | null {
    for (const text of identities) {
      const id = this.#current.find(kind, [text]);
      if (id !== null && !this.isMeant(kind, id)) return id;
    }
    if (identities.length > 0) return null;
    const ids = this.#contents.get(kind.name + this.#contentOf(kind, entity));
    return ids?.pop() ?? null;
  }
}

function newId(kind: ConfigKind, entity: Entity): string {
  if (kind.name !== 'consumer_group_consumers') return randomUUID();
  const id = (field: string): string => String((entity[field] as { readonly id?: unknown } | undefined)?.id);
  return `${id('consumer_group')}/${id('consumer')}`;
}
