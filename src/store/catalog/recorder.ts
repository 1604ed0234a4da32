/** The changes of a transaction, as rows of the log: what each entity was before it, and what it is now. */
import type { Connection } from './connection.ts';

export class Recorder {
  readonly revision: number;
  readonly #connection: Connection;

  /** @param revision the one that the transaction will be. */
  constructor(connection: Connection, revision: number) {
    this.#connection = connection;
    this.revision = revision;
  }

  record(kind: string, id: string, before: string | null, after: string | null): void {
    this.#connection.run(
      `INSERT INTO changes (revision, kind, id, before, after) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET after = excluded.after`,
      this.revision,
      kind,
      id,
      before,
      after,
    );
  }

  /** Number of changes; what came and went again, or is as before, is none. */
  finish(): number {
    this.#connection.run('DELETE FROM changes WHERE revision = ? AND before IS after', this.revision);
    const row = this.#connection.get('SELECT count(*) AS n FROM changes WHERE revision = ?', this.revision);
    return Number(row?.['n']);
  }
}
