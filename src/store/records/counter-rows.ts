/** Counters as rows of SQLite, on one connection. Writes are within the caller's transaction. */
import type { Connection } from '../catalog/connection.ts';
import { MAX_COUNT, type CounterStep } from './records.ts';

export class CounterRows {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  increment(collection: string, { key, amount, ttlMs }: CounterStep, now: number): number {
    const row = this.#connection.get(
      `INSERT INTO counters (collection, key, value, expires) VALUES (?1, ?2, ?3, ?4)
       ON CONFLICT DO UPDATE SET
         value = CASE WHEN expires > ?5 THEN max(-?6, min(?6, value + ?3)) ELSE ?3 END,
         expires = CASE WHEN expires > ?5 THEN expires ELSE ?4 END
       RETURNING value`,
      collection,
      key,
      amount,
      now + ttlMs,
      now,
      MAX_COUNT,
    );
    return Number(row?.['value']);
  }

  count(collection: string, key: string, now: number): number {
    const row = this.#connection.get(
      'SELECT value FROM counters WHERE collection = ? AND key = ? AND expires > ?',
      collection,
      key,
      now,
    );
    return Number(row?.['value'] ?? 0);
  }

  /** Removes some of what is over. Answers how many that were. */
  sweep(now: number, limit: number): number {
    return this.#connection.run(
      `DELETE FROM counters WHERE (collection, key) IN
       (SELECT collection, key FROM counters WHERE expires <= ? LIMIT ?)`,
      now,
      limit,
    );
  }
}
