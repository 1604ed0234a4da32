/** The changes of a transaction, as rows of the log: what each entity was before it, and what it is now. */
import type { Connection } from './connection.ts';

export class Recorder {
  readonly revision: number;
  readonly #connection: Connection;
  /** Rows so far, and whether some may be no change. */
  #rows = 0;
  #unsure = false;

  /** @param revision the one that the transaction will be. */
  constructor(connection: Connection, revision: number) {
    this.#connection = connection;
    this.revision = revision;
  }

  record(kind: string, id: string, before: string | null, after: string | null): void {
    const added = this.#connection.run(
      `INSERT INTO changes (revision, kind, id, before, after) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT DO NOTHING`,
      this.revision,
      kind,
      id,
      before,
      after,
    );
    this.#rows += added;
    if (added === 1) this.#unsure ||= before === after;
    else this.#again(kind, id, after);
  }

  #again(kind: string, id: string, after: string | null): void {
    this.#unsure = true;
    this.#connection.run(
      'UPDATE changes SET after = ? WHERE revision = ? AND kind = ? AND id = ?',
      after,
      this.revision,
      kind,
      id,
    );
  }

  /** Number of changes; what came and went again, or is as before, is none. To look through many takes its time. */
  finish(): number {
    if (!this.#unsure) return this.#rows;
    this.#connection.run('DELETE FROM changes WHERE revision = ? AND before IS after', this.revision);
    const row = this.#connection.get('SELECT count(*) AS n FROM changes WHERE revision = ?', this.revision);
    return Number(row?.['n']);
  }
}
