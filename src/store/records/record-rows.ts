/** Records as rows of SQLite, on one connection, as they are at a moment. Writes are within the caller's transaction. */
import type { Connection, Row } from '../catalog/connection.ts';
import { marksOf } from './marks.ts';
import type { RecordCodec } from './record-codec.ts';
import { type ListOptions, type Owner, type RecordInput, type StoredRecord } from './records.ts';

/** Milliseconds since 1970 at which there is no time left. */
const ALIVE = '(expires IS NULL OR expires > ?)';

export class RecordRows {
  readonly #connection: Connection;
  readonly #codec: RecordCodec;

  constructor(connection: Connection, codec: RecordCodec) {
    this.#connection = connection;
    this.#codec = codec;
  }

  /** 0: there is none. */
  version(collection: string, key: string, now: number): number {
    const row = this.#connection.get(
      `SELECT version FROM records WHERE collection = ? AND key = ? AND ${ALIVE}`,
      collection,
      key,
      now,
    );
    return Number(row?.['version'] ?? 0);
  }

  get(collection: string, key: string, now: number): StoredRecord | null {
    const row = this.#connection.get(
      `SELECT * FROM records WHERE collection = ? AND key = ? AND ${ALIVE}`,
      collection,
      key,
      now,
    );
    return row === undefined ? null : this.#recordOf(row, now);
  }

  /** Keys of the records that have the value, be they over; it may stand in the index in more than one way. */
  holders(collection: string, index: string, value: string): string[] {
    return this.#codec.uniqueTexts(collection, index, value).flatMap((text) => {
      const row = this.#connection.get(
        'SELECT key FROM uniques WHERE collection = ? AND field = ? AND value = ?',
        collection,
        index,
        text,
      );
      return row === undefined ? [] : [String(row['key'])];
    });
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
    return rows.map((row) => this.#recordOf(row, now));
  }

  /** Writes a record that is not there. Answers its version. */
  put(collection: string, record: RecordInput, expires: number | null): number {
    const { key, owners = [] } = record;
    const { content, unique } = this.#codec.encode(collection, record);
    const version = this.#nextVersion();
    this.#connection.run(
      'INSERT INTO records (collection, key, version, expires, content) VALUES (?, ?, ?, ?, ?)',
      collection,
      key,
      version,
      expires,
      content,
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

  /**
   * Answers the marks of what is removed, be it over: none when there is none, null when they cannot be told because
   * its key for secrets is gone.
   */
  remove(collection: string, key: string): readonly string[] | null {
    const row = this.#connection.get(
      'DELETE FROM records WHERE collection = ? AND key = ? RETURNING content',
      collection,
      key,
    );
    if (row === undefined) return [];
    const content = String(row['content']);
    const { unique, owners } = this.#codec.links(content);
    for (const [index, value] of Object.entries(unique)) {
      this.#connection.run(
        'DELETE FROM uniques WHERE collection = ? AND field = ? AND value = ? AND key = ?',
        collection,
        index,
        value,
        key,
      );
    }
    for (const { kind, id } of owners) {
      this.#connection.run(
        'DELETE FROM owners WHERE kind = ? AND id = ? AND collection = ? AND key = ?',
        kind,
        id,
        collection,
        key,
      );
    }
    return this.#marksOf(collection, key, content);
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

  #marksOf(collection: string, key: string, content: string): readonly string[] | null {
    try {
      return marksOf(collection, { key, unique: this.#codec.decode(collection, key, content).unique });
    } catch {
      return null;
    }
  }

  #recordOf(row: Row, now: number): StoredRecord {
    const { expires } = row;
    const { collection, key } = placeOf(row);
    return {
      key,
      ...this.#codec.decode(collection, key, String(row['content'])),
      version: Number(row['version']),
      ttlMs: typeof expires === 'number' ? expires - now : null,
    };
  }

  #nextVersion(): number {
    return Number(this.#connection.get('UPDATE versions SET last = last + 1 RETURNING last')?.['last']);
  }
}

function placeOf(row: Row): { collection: string; key: string } {
  return { collection: String(row['collection']), key: String(row['key']) };
}
