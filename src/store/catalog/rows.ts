/**
 * Entities as rows, on one connection: look up, list, put, remove, with the index rows that follow from them.
 *
 * Time to live: the row's `ttl` is the second since 1970 at which it ends; what is read has the seconds that are left,
 * and what is over is not there.
 */
import { asDescribed, pluginKinds } from '../../entities/plugin-entities.ts';
import type { Values } from '../../entities/schema/field.ts';
import type { NewestOptions, PageOptions, Selector, TagRow } from '../config-store.ts';
import type { EntityCodec } from './codec.ts';
import type { Connection } from './connection.ts';
import { kindIndex, referencedIds, storedIndex, uniqueTexts, type UniqueIndex } from './kind-index.ts';
import { pageQuery } from './page-query.ts';

export interface Child {
  readonly kind: string;
  readonly field: string;
  readonly id: string;
}

export class Rows {
  readonly connection: Connection;
  readonly #codec: EntityCodec;

  constructor(connection: Connection, codec: EntityCodec) {
    this.connection = connection;
    this.#codec = codec;
  }

  encode(kind: string, entity: Values): string {
    return this.#codec.encode(kind, entity);
  }

  decode(kind: string, text: string): Values {
    return this.#codec.decode(kind, text);
  }

  isCurrent(kind: string, text: string): boolean {
    return this.#codec.isCurrent(kind, text);
  }

  /** As it is stored. */
  raw(kind: string, id: string): Values | null {
    const row = this.connection.get('SELECT text FROM entities WHERE kind = ? AND id = ?', kind, id);
    return row === undefined ? null : this.decode(kind, String(row['text']));
  }

  text(kind: string, id: string): string | null {
    const row = this.connection.get('SELECT text FROM entities WHERE kind = ? AND id = ?', kind, id);
    return row === undefined ? null : String(row['text']);
  }

  /** Null: there is none, or its time is over. */
  get(kind: string, id: string): Values | null {
    const entity = this.raw(kind, id);
    return entity === null ? null : this.shown(kind, entity);
  }

  select(kind: string, select: Selector): Values | null {
    const id = select.id?.toLowerCase() ?? this.#idOfKey(kind, select);
    const entity = id === null ? null : this.get(kind, id);
    if (entity === null || select.within === undefined || select.within === null) return entity;
    const { field, id: parent } = select.within;
    return (entity[field] as { id: string } | null)?.id === parent ? entity : null;
  }

  /** Id of the entity that has these values. */
  find(kind: string, index: string, text: string): string | null {
    const row = this.connection.get(
      'SELECT id FROM uniques WHERE kind = ? AND field = ? AND value = ?',
      kind,
      index,
      text,
    );
    return row === undefined ? null : String(row['id']);
  }

  /** Id of the entity with this value of a unique field. */
  findBy(kind: string, field: string, value: string): string | null {
    return this.#findAny(kind, field, this.#codec.uniqueTexts(kind, field, value));
  }

  /** Id of the entity that has this one's values of a unique index. */
  owner(kind: string, index: UniqueIndex, entity: Values): string | null {
    return this.#findAny(kind, index.name, uniqueTexts(kind, index, entity, this.#codec));
  }

  ids(kind: string, options: PageOptions): string[] {
    const { sql, values } = pageQuery(kind, options);
    return this.connection.all(sql, ...values).map((row) => String(row['id']));
  }

  /** By `created_at`, then id, descending. */
  newest(kind: string, { within, from, size }: NewestOptions): string[] {
    return this.connection
      .all(
        `SELECT x.id FROM refs x JOIN entities e ON e.kind = x.kind AND e.id = x.id
          WHERE x.parent = ? AND x.kind = ? AND x.field = ?
          ORDER BY json_extract(e.text, '$.created_at') DESC, x.id DESC LIMIT ? OFFSET ?`,
        within.id,
        kind,
        within.field,
        size,
        from,
      )
      .map((row) => String(row['id']));
  }

  has(kind: string, id: string): boolean {
    return this.connection.get('SELECT 1 FROM entities WHERE kind = ? AND id = ?', kind, id) !== undefined;
  }

  children(parent: string, limit: number): Child[] {
    return this.connection
      .all('SELECT kind, field, id FROM refs WHERE parent = ? LIMIT ?', parent, limit)
      .map((row) => ({ kind: String(row['kind']), field: String(row['field']), id: String(row['id']) }));
  }

  tags(tag: string | undefined, size: number, after: TagRow | null): TagRow[] {
    const from = after ?? { tag: '', entity_name: '', entity_id: '' };
    const where = tag === undefined ? '' : 'tag = ? AND ';
    return this.connection
      .all(
        `SELECT tag, kind, id FROM tags WHERE ${where}(tag, kind, id) > (?, ?, ?) ORDER BY tag, kind, id LIMIT ?`,
        ...(tag === undefined ? [] : [tag]),
        from.tag,
        from.entity_name,
        from.entity_id,
        size,
      )
      .map((row) => ({
        tag: String(row['tag']),
        entity_name: String(row['kind']),
        entity_id: String(row['id']),
      }));
  }

  /** Ids of entities that ended before `now`, seconds. */
  expired(now: number, limit: number): Array<{ kind: string; id: string }> {
    return this.connection
      .all('SELECT kind, id FROM expiries WHERE at <= ? LIMIT ?', now, limit)
      .map((row) => ({ kind: String(row['kind']), id: String(row['id']) }));
  }

  /** Writes a row whose index rows are not there: it is new, or `removeInSteps` went before. In steps, as it may have very many. */
  *putInSteps(kind: string, entity: Values, text: string): Generator<void> {
    this.connection.run(
      'INSERT INTO entities (kind, id, text) VALUES (?, ?, ?)',
      kind,
      String(entity['id']),
      text,
    );
    yield* this.indexInSteps(kind, entity);
  }

  /** The index rows of an entity that has none. */
  *indexInSteps(kind: string, entity: Values): Generator<void> {
    const id = String(entity['id']);
    const index = storedIndex(kind);
    const { connection } = this;
    // A plugin's field may have become unique when others had its value twice: the first keeps it.
    const insert = pluginKinds().has(kind) ? 'INSERT OR IGNORE' : 'INSERT';
    for (const unique of index?.uniques ?? []) {
      const [value] = uniqueTexts(kind, unique, entity, this.#codec);
      if (value === undefined) continue;
      connection.run(
        `${insert} INTO uniques (kind, field, value, id) VALUES (?, ?, ?, ?)`,
        kind,
        unique.name,
        value,
        id,
      );
    }
    for (const [field, parent] of referencedIds(index, entity)) {
      connection.run(
        'INSERT INTO refs (parent, kind, field, id) VALUES (?, ?, ?, ?)',
        parent,
        kind,
        field,
        id,
      );
      yield;
    }
    for (const tag of (entity['tags'] ?? []) as readonly string[]) {
      connection.run('INSERT INTO tags (tag, kind, id) VALUES (?, ?, ?)', tag, kind, id);
      yield;
    }
    const at = entity['ttl'];
    if (typeof at === 'number') {
      connection.run('INSERT INTO expiries (at, kind, id) VALUES (?, ?, ?)', Math.floor(at), kind, id);
    }
  }

  /** @param entity as it stands there. */
  *removeInSteps(kind: string, entity: Values): Generator<void> {
    const id = String(entity['id']);
    const index = storedIndex(kind);
    const { connection } = this;
    connection.run('DELETE FROM entities WHERE kind = ? AND id = ?', kind, id);
    for (const unique of index?.uniques ?? []) {
      for (const value of uniqueTexts(kind, unique, entity, this.#codec)) {
        connection.run(
          'DELETE FROM uniques WHERE kind = ? AND field = ? AND value = ? AND id = ?',
          kind,
          unique.name,
          value,
          id,
        );
      }
    }
    for (const [field, parent] of referencedIds(index, entity)) {
      connection.run(
        'DELETE FROM refs WHERE parent = ? AND kind = ? AND field = ? AND id = ?',
        parent,
        kind,
        field,
        id,
      );
      yield;
    }
    for (const tag of (entity['tags'] ?? []) as readonly string[]) {
      connection.run('DELETE FROM tags WHERE tag = ? AND kind = ? AND id = ?', tag, kind, id);
      yield;
    }
    const at = entity['ttl'];
    if (typeof at === 'number') {
      connection.run('DELETE FROM expiries WHERE at = ? AND kind = ? AND id = ?', Math.floor(at), kind, id);
    }
  }

  /** A stored entity as readers see it; null when its time is over. */
  shown(kind: string, stored: Values): Values | null {
    const entity = asDescribed(kind, stored);
    const at = entity['ttl'];
    if (typeof at === 'number') {
      const left = at - Date.now() / 1000;
      // Rounded down, so that who writes what was read makes it no longer; 0 would be no end.
      return left <= 0 ? null : { ...entity, ttl: Math.max(1, Math.floor(left)) };
    }
    if (kind === 'certificates') return { ...entity, snis: this.#snisOf(String(entity['id'])) };
    return entity;
  }

  /** Kong's certificates show the names of their SNIs, sorted. */
  #snisOf(id: string): string[] {
    const within = { field: 'certificate', id };
    return this.ids('snis', { size: -1, within })
      .map((sni) => String(this.raw('snis', sni)?.['name']))
      .sort();
  }

  #findAny(kind: string, index: string, texts: readonly string[]): string | null {
    for (const text of texts) {
      const id = this.find(kind, index, text);
      if (id !== null) return id;
    }
    return null;
  }

  #idOfKey(kind: string, { key, by, within }: Selector): string | null {
    const { definition, uniques } = kindIndex(kind);
    const field = by ?? definition.endpoint_key;
    if (key === undefined) return null;
    if (field !== undefined && uniques.some(({ name }) => name === field))
      return this.findBy(kind, field, key);
    if (within === undefined || within === null) return null;
    // A key that is unique only within its parent: a target within its upstream, a consumer within its group.
    const together = uniques.find(
      ({ fields: [first, second, ...rest] }) =>
        rest.length === 0 &&
        first === within.field &&
        (field === undefined ? second !== undefined : second === field),
    );
    if (together === undefined) return null;
    return this.find(kind, together.name, JSON.stringify([within.id, key]));
  }
}
