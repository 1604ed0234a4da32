/** Reads of a catalog: the last committed state, and the log. */
import type { Values } from '../../entities/schema/field.ts';
import type {
  Change,
  ChangesPage,
  ConfigLog,
  ConfigReader,
  NewestOptions,
  NewestPage,
  Page,
  PageOptions,
  Revision,
  Selector,
  TagRow,
} from '../config-store.ts';
import { INTERNAL_KINDS } from '../file/kinds.ts';
import { changePage } from './changes.ts';
import type { Row } from './connection.ts';
import type { Rows } from './rows.ts';

/** A change's place in the log. */
export interface LogPlace {
  readonly revision: number;
  readonly kind: string;
  readonly id: string;
}

/** An entity that a commit has changed, made or deleted. */
export interface Touched {
  readonly kind: string;
  readonly id: string;
}

const TOUCHED_PAGE = 256;

/** Characters of entities after which a page ends: all entities may be as large as a body of the Admin API. */
const PAGE_LENGTH = 8 * 2 ** 20;

export class CatalogReader implements ConfigReader, ConfigLog {
  readonly #rows: Rows;

  constructor(rows: Rows) {
    this.#rows = rows;
  }

  get revision(): number {
    return this.#meta('revision');
  }

  get oldest(): number {
    return this.#meta('oldest');
  }

  get(kind: string, select: Selector): Values | null {
    return this.#rows.select(kind, select);
  }

  page(kind: string, options: PageOptions): Page {
    const { size } = options;
    const ids = this.#rows.ids(kind, { ...options, size: size + 1 });
    const { entities, taken } = this.#take(kind, ids, size);
    return { entities, next: taken < ids.length ? (ids[taken - 1] ?? null) : null };
  }

  newest(kind: string, { within, from, size }: NewestOptions): NewestPage {
    const ids = this.#rows.newest(kind, { within, from, size: size + 1 });
    const { entities, taken } = this.#take(kind, ids, size);
    return { entities, next: taken < ids.length ? from + taken : null };
  }

  /** As many as a page may have; those whose time is over are passed. */
  #take(kind: string, ids: readonly string[], size: number): { entities: Values[]; taken: number } {
    const entities: Values[] = [];
    let length = 0;
    let taken = 0;
    for (; taken < ids.length && taken < size && length < PAGE_LENGTH; taken++) {
      const text = this.#rows.text(kind, ids[taken] ?? '');
      if (text === null) continue;
      length += text.length;
      const entity = this.#rows.shown(kind, this.#rows.decode(kind, text));
      if (entity !== null) entities.push(entity);
    }
    return { entities, taken };
  }

  *all(kind: string): IterableIterator<Values> {
    const rows = this.#rows.connection.iterate('SELECT text FROM entities WHERE kind = ? ORDER BY id', kind);
    for (const row of rows) {
      const entity = this.#rows.shown(kind, this.#rows.decode(kind, String(row['text'])));
      if (entity !== null) yield entity;
    }
  }

  /** As it is stored: a time to live is the second at which it ends. */
  stored(kind: string, id: string): Values | null {
    return this.#rows.raw(kind, id);
  }

  /** The next entities of a kind, as they are stored, by id. */
  storedPage(kind: string, after: string | null, size: number): Values[] {
    return this.#rows.connection
      .all('SELECT text FROM entities WHERE kind = ? AND id > ? ORDER BY id LIMIT ?', kind, after ?? '', size)
      .map((row) => this.#rows.decode(kind, String(row['text'])));
  }

  count(kind: string): number {
    const row = this.#rows.connection.get('SELECT count(*) AS n FROM entities WHERE kind = ?', kind);
    return Number(row?.['n']);
  }

  tags(options: { readonly tag?: string; readonly size: number; readonly after?: TagRow | null }): TagRow[] {
    return this.#rows.tags(options.tag, options.size, options.after ?? null);
  }

  /** Entities of a kind that refer to the parent by the field, by id. */
  *childrenOf(kind: string, field: string, id: string): Generator<Values> {
    for (const child of this.#rows.ids(kind, { size: -1, within: { field, id } })) {
      const entity = this.#rows.get(kind, child);
      if (entity !== null) yield entity;
    }
  }

  revisions({ before, size }: { readonly before?: number | null; readonly size: number }): Revision[] {
    return this.#rows.connection
      .all(
        'SELECT * FROM commits WHERE revision < ? ORDER BY revision DESC LIMIT ?',
        before ?? Number.MAX_SAFE_INTEGER,
        size,
      )
      .map(revisionOf);
  }

  describe(revision: number): Revision | null {
    const row = this.#rows.connection.get('SELECT * FROM commits WHERE revision = ?', revision);
    return row === undefined ? null : revisionOf(row);
  }

  changes(revision: number, page: ChangesPage = { size: -1 }): Change[] | null {
    if (this.uuidOf(revision) === null) return null;
    return changePage(this.#rows.connection, revision, page).map(({ kind, id, before, after }) => ({
      kind,
      id,
      before: before === null ? null : this.#rows.decode(kind, before),
      after: after === null ? null : this.#rows.decode(kind, after),
    }));
  }

  /** Number of changes that commits after a revision have made. */
  changesSince(revision: number): number {
    const row = this.#rows.connection.get(
      'SELECT sum(changes) AS n FROM commits WHERE revision > ?',
      revision,
    );
    return Number(row?.['n'] ?? 0);
  }

  /**
   * Entities of these kinds that commits after a revision have touched, page by page. One comes again for each commit.
   * Other kinds' changes are not read.
   */
  *touchedSince(revision: number, kinds: readonly string[]): Generator<readonly Touched[]> {
    const { connection } = this.#rows;
    const commits = connection.all('SELECT revision FROM commits WHERE revision > ?', revision);
    for (const { revision: number } of commits) {
      for (const kind of kinds) yield* this.#touchedBy(Number(number), kind);
    }
  }

  *#touchedBy(revision: number, kind: string): Generator<readonly Touched[]> {
    let after = '';
    for (;;) {
      const page = this.#rows.connection
        .all(
          'SELECT id FROM changes WHERE revision = ? AND kind = ? AND id > ? ORDER BY id LIMIT ?',
          revision,
          kind,
          after,
          TOUCHED_PAGE,
        )
        .map((row) => ({ kind, id: String(row['id']) }));
      const last = page.at(-1);
      if (last === undefined) return;
      yield page;
      if (page.length < TOUCHED_PAGE) return;
      after = last.id;
    }
  }

  /** What commits have touched, in the log's order, after a place in it. */
  touchedAfter(
    { revision, kind, id }: LogPlace,
    limit: number,
  ): ReadonlyArray<LogPlace & { readonly deleted: boolean }> {
    return this.#rows.connection
      .all(
        `SELECT revision, kind, id, after IS NULL AS deleted FROM changes
         WHERE (revision, kind, id) > (?, ?, ?) ORDER BY revision, kind, id LIMIT ?`,
        revision,
        kind,
        id,
        limit,
      )
      .map((row) => ({
        revision: Number(row['revision']),
        kind: String(row['kind']),
        id: String(row['id']),
        deleted: row['deleted'] === 1,
      }));
  }

  /** Has anybody written a configuration to it? Internal kinds are none. */
  get untouched(): boolean {
    if (this.oldest > 0) return false;
    const marks = INTERNAL_KINDS.map(() => '?').join(', ');
    const names = INTERNAL_KINDS.map(({ name }) => name);
    const sql = `SELECT 1 FROM changes WHERE kind NOT IN (${marks}) LIMIT 1`;
    return this.#rows.connection.get(sql, ...names) === undefined;
  }

  has(kind: string, id: string): boolean {
    return this.#rows.has(kind, id);
  }

  /** Names a commit among all that ever were; null: not in the log. */
  uuidOf(revision: number): string | null {
    const row = this.#rows.connection.get('SELECT uuid FROM commits WHERE revision = ?', revision);
    return row === undefined ? null : String(row['uuid']);
  }

  #meta(name: string): number {
    return Number(this.#rows.connection.get('SELECT value FROM meta WHERE name = ?', name)?.['value'] ?? 0);
  }
}

function revisionOf(row: Row): Revision {
  const text = (name: string): string | null => (typeof row[name] === 'string' ? row[name] : null);
  return {
    revision: Number(row['revision']),
    time: Number(row['time']),
    author: { name: text('name'), source: text('source') ?? '', message: text('message') },
    changes: Number(row['changes']),
  };
}
