/**
 * The query for one page of a kind: ids in their order, by parent, by tags, or both.
 *
 * The most selective table drives: a page of one parent's children must not read all entities of the kind.
 */
import type { PageOptions } from '../config-store.ts';

interface Query {
  readonly sql: string;
  readonly values: Array<string | number>;
}

/** `size` -1 is without a limit. */
export function pageQuery(kind: string, { size, after, within, tags }: PageOptions): Query {
  const from = after ?? '';
  const tail = 'ORDER BY x.id LIMIT ?';
  if (within !== undefined && within !== null) {
    const filter = tagFilter(kind, tags);
    return {
      sql: `SELECT x.id FROM refs x WHERE x.parent = ? AND x.kind = ? AND x.field = ? AND x.id > ?${filter.sql} ${tail}`,
      values: [within.id, kind, within.field, from, ...filter.values, size],
    };
  }
  const [first, ...rest] = tags?.names ?? [];
  if (tags === undefined || tags === null || first === undefined) {
    return {
      sql: `SELECT x.id FROM entities x WHERE x.kind = ? AND x.id > ? ${tail}`,
      values: [kind, from, size],
    };
  }
  if (tags.match === 'any') {
    const marks = tags.names.map(() => '?').join(', ');
    return {
      sql: `SELECT DISTINCT x.id FROM tags x WHERE x.tag IN (${marks}) AND x.kind = ? AND x.id > ? ${tail}`,
      values: [...tags.names, kind, from, size],
    };
  }
  const filter = tagFilter(kind, { match: 'all', names: rest });
  return {
    sql: `SELECT x.id FROM tags x WHERE x.tag = ? AND x.kind = ? AND x.id > ?${filter.sql} ${tail}`,
    values: [first, kind, from, ...filter.values, size],
  };
}

function tagFilter(kind: string, tags: PageOptions['tags']): Query {
  if (tags === undefined || tags === null || tags.names.length === 0) return { sql: '', values: [] };
  const one = 'EXISTS (SELECT 1 FROM tags t WHERE t.tag = ? AND t.kind = ? AND t.id = x.id)';
  const all = tags.names.map(() => one).join(tags.match === 'all' ? ' AND ' : ' OR ');
  return { sql: ` AND (${all})`, values: tags.names.flatMap((name) => [name, kind]) };
}
