/** The changes of commits, as rows of the log. */
import type { ChangesPage } from '../config-store.ts';
import type { StoredChange } from '../shared-log.ts';
import type { Connection, Row } from './connection.ts';

/** Rows read at once. */
const PAGE = 500;

/** Some at a time: a commit may have more changes than memory has room for. */
export function* changesOf(connection: Connection, revision: number): Generator<StoredChange, undefined> {
  for (let after: StoredChange | null = null; ;) {
    const page = changePage(connection, revision, { after, size: PAGE });
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    after = last;
  }
}

/** Changes of one commit, by kind and id. */
export function changePage(
  connection: Connection,
  revision: number,
  { after, size }: ChangesPage,
): StoredChange[] {
  return connection
    .all(
      `SELECT kind, id, before, after FROM changes WHERE revision = ? AND (kind, id) > (?, ?)
       ORDER BY kind, id LIMIT ?`,
      revision,
      after?.kind ?? '',
      after?.id ?? '',
      size,
    )
    .map(storedChange);
}

function storedChange(row: Row): StoredChange {
  const text = (value: string | number | null | undefined): string | null =>
    typeof value === 'string' ? value : null;
  return {
    kind: String(row['kind']),
    id: String(row['id']),
    before: text(row['before']),
    after: text(row['after']),
  };
}
