/** Records as rows of SQLite, on one connection, as they are at a moment. Writes are within the caller's transaction. */
import type { Connection, Row } from '../catalog/connection.ts';
import { type ListOptions, type Owner, type RecordInput, type StoredRecord } from './records.ts';

type Content = Pick<Required<RecordInput>, 'value' | 'unique' | 'owners'>;

/** Milliseconds since 1970 at which there is no time left. */
const ALIVE = '(expires IS NULL OR expires > ?)';

export class RecordRows {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  get(collection: string, key: string, now: number): StoredRecord | null {
    const row = this.#connection.get(
      `SELECT * FROM records WHERE collection = ? AND key = ? AND ${ALIVE}`,
      collection,
      key,
      now,
    );
    return row === undefined ? null : recordOf(row, now);
  }

  /** Key of the record that has the value, be it over. */
  holder(collection: string, index: string, value: string): string | null {
    const row = this.#connection.get(
      'SELECT key FROM uniques WHERE collection = ? AND field = ? AND value = ?',
      collection,
      index,
      value,
    );
    return row === undefined ? null : String(row['key']);
  }

  list(collection: string, { owner, after, size }: ListOptions, now: number): StoredRecord[] {
    const from = after ?? '';
    const rows =
      owner == null
        ? this.#connection.all(
            `SELECT * FROM records WHERE collection = ? AND key > ? AND ${ALIVE} ORDER BY key LIMIT ?`,
            collection,
            from,
            now,
            size,
          )
        : this.#connection.all(
            `SELECT records.* FROM owners JOIN records USING (collection, key)
             WHERE kind = ? AND id = ? AND collection = ? AND key > ? AND ${ALIVE} ORDER BY key LIMIT ?`,
            owner.kind,
            owner.id,
            collection,
            from,
            now,
            size,
          );
    return rows.map((row) => recordOf(row, now));
  }

  /** Writes a record that is not there. Answers its version. */
  put(collection: string, record: RecordInput, expires: number | null): number {
    const { key, value, unique = {}, owners = [] } = record;
    const version = this.#nextVersion();
    this.#connection.run(
      'INSERT INTO records (collection, key, version, expires, content) VALUES (?, ?, ?, ?, ?)',
      collection,
      key,
      version,
      expires,
      JSON.stringify({ value, unique, owners } satisfies Content),
    );
    for (const [index, text] of Object.entries(unique)) {
      this.#connection.run(
        'INSERT INTO uniques (collection, field, value, key) VALUES (?, ?, ?, ?)',
        collection,
        index,
        text,
        key,
      );
    }
    for (const { kind, id } of owners) {
      this.#connection.run(
        'INSERT OR IGNORE INTO owners (kind, id, collection, key) VALUES (?, ?, ?, ?)',
        kind,
        id,
        collection,
        key,
      );
    }
    return version;
  }

  /** Answers what is removed, be it over; null when there is none. */
  remove(collection: string, key: string): StoredRecord | null {
    const row = this.#connection.get(
      'DELETE FROM records WHERE collection = ? AND key = ? RETURNING *',
      collection,
      key,
    );
    if (row === undefined) return null;
    const record = recordOf(row, 0);
    for (const [index, value] of Object.entries(record.unique)) {
      this.#connection.run(
        'DELETE FROM uniques WHERE collection = ? AND field = ? AND value = ?',
        collection,
        index,
        value,
      );
    }
    for (const { kind, id } of record.owners) {
      this.#connection.run(
        'DELETE FROM owners WHERE kind = ? AND id = ? AND collection = ? AND key = ?',
        kind,
        id,
        collection,
        key,
      );
    }
    return record;
  }

  owned({ kind, id }: Owner, limit: number): Array<{ collection: string; key: string }> {
    return this.#connection
      .all('SELECT collection, key FROM owners WHERE kind = ? AND id = ? LIMIT ?', kind, id, limit)
      .map(placeOf);
  }

  /** Owners of any record, after one, in order. */
  owners(after: Owner, limit: number): Owner[] {
    return this.#connection
      .all(
        'SELECT DISTINCT kind, id FROM owners WHERE (kind, id) > (?, ?) ORDER BY kind, id LIMIT ?',
        after.kind,
        after.id,
        limit,
      )
      .map((row) => ({ kind: String(row['kind']), id: String(row['id']) }));
  }

  /** Removes some of what is over. Answers how many that were. */
  sweep(now: number, limit: number): number {
    const over = this.#connection
      .all('SELECT collection, key FROM records WHERE expires <= ? LIMIT ?', now, limit)
      .map(placeOf);
    for (const { collection, key } of over) this.remove(collection, key);
    return over.length;
  }

  meta(name: string): string | null {
    const row = this.#connection.get('SELECT value FROM meta WHERE name = ?', name);
    return row === undefined ? null : String(row['value']);
  }

  setMeta(name: string, value: string): void {
    this.#connection.run(
      'INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
      name,
      value,
    );
  }

  #nextVersion(): number {
    return Number(this.#connection.get('UPDATE versions SET last = last + 1 RETURNING last')?.['last']);
  }
}

function placeOf(row: Row): { collection: string; key: string } {
  return { collection: String(row['collection']), key: String(row['key']) };
}

function recordOf(row: Row, now: number): StoredRecord {
  const { expires } = row;
  return {
    key: String(row['key']),
    ...(JSON.parse(String(row['content'])) as Content),
    version: Number(row['version']),
    ttlMs: typeof expires === 'number' ? expires - now : null,
  };
}
