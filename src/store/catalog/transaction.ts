/** A transaction on a catalog: writes, or rows as another node stored them, and at the end a commit of the log. */
import type { CheckContext, Values } from '../../entities/schema/field.ts';
import type { Judge } from '../config-store.ts';
import { Forbidden } from '../errors.ts';
import { INTERNAL_KINDS } from '../file/kinds.ts';
import type { StoredChange, StoredChanges, StoredCommit, StoredEntity } from '../shared-log.ts';
import { changesOf } from './changes.ts';
import type { Recorder } from './recorder.ts';
import type { Rows } from './rows.ts';
import { Writer } from './writer.ts';

const INTERNAL_NAMES = INTERNAL_KINDS.map(({ name }) => `'${name}'`).join(', ');

export class CatalogTransaction {
  readonly rows: Rows;
  readonly #recorder: Recorder;

  constructor(rows: Rows, recorder: Recorder) {
    this.rows = rows;
    this.#recorder = recorder;
  }

  /** The revision that a commit will be. */
  get revision(): number {
    return this.#recorder.revision;
  }

  writer(context: CheckContext, judge: Judge | null = null): Writer {
    return new Writer(this.rows, this.#recorder, context, judge);
  }

  /**
   * Makes entities what they are after each change, without validation: it was valid where it comes from. All old rows
   * go before new ones come, since a name may wander from one entity to another.
   */
  *applyStored(changes: readonly StoredChange[], judge: Judge | null = null): Generator<void> {
    for (const { kind, id, after } of changes) {
      const before = this.rows.text(kind, id);
      if (judge !== null) this.#allow(judge, kind, before, after);
      if (before !== null) yield* this.rows.removeInSteps(kind, this.rows.decode(kind, before));
      this.#recorder.record(kind, id, before, after);
      yield;
    }
    for (const { kind, after } of changes) {
      if (after !== null) yield* this.rows.putInSteps(kind, this.rows.decode(kind, after), after);
      yield;
    }
  }

  /** Entities that are not there yet, validated elsewhere. */
  *insert(entities: Iterable<{ readonly kind: string; readonly entity: Values }>): Generator<void> {
    for (const { kind, entity } of entities) {
      const text = this.rows.encode(kind, entity);
      yield* this.rows.putInSteps(kind, entity, text);
      this.#recorder.record(kind, String(entity['id']), null, text);
      yield;
    }
  }

  /** What leads back to an earlier revision, but for what is internal: a revoked token does not come back. */
  changesBackTo(revision: number): StoredChange[] {
    return this.rows.connection
      .all(
        `SELECT kind, id, before, min(revision) FROM changes WHERE revision > ? AND kind NOT IN (${INTERNAL_NAMES})
         GROUP BY kind, id`,
        revision,
      )
      .map((row) => ({
        kind: String(row['kind']),
        id: String(row['id']),
        before: null,
        after: row['before'] === null ? null : String(row['before']),
      }));
  }

  /** Takes everything out: entities and log. */
  clear(): void {
    for (const table of ['entities', 'uniques', 'refs', 'tags', 'expiries', 'commits', 'changes']) {
      this.rows.connection.exec(`DELETE FROM ${table}`);
    }
  }

  /** Entities of a whole state, after `clear`. */
  *loadInSteps(entities: Iterable<StoredEntity>): Generator<void> {
    for (const { kind, text } of entities) {
      yield* this.rows.putInSteps(kind, this.rows.decode(kind, text), text);
      yield;
    }
  }

  /** What the transaction has changed. @param length what `finish` answered. */
  changes(length: number): StoredChanges {
    const { rows, revision } = this;
    return { length, [Symbol.iterator]: () => changesOf(rows.connection, revision) };
  }

  /** Number of changes so far. */
  finish(): number {
    return this.#recorder.finish();
  }

  /** Ends the transaction. */
  commit({ uuid, time, author }: Omit<StoredCommit, 'changes' | 'revision'>, changes: number): void {
    const { connection } = this.rows;
    connection.run(
      'INSERT INTO commits (revision, uuid, time, name, source, message, changes) VALUES (?, ?, ?, ?, ?, ?, ?)',
      this.revision,
      uuid,
      time,
      author.name,
      author.source,
      author.message,
      changes,
    );
    this.#end(this.revision);
  }

  /** Ends a transaction that has loaded a whole state: the log begins there. */
  commitState(revision: number): void {
    this.#setMeta('oldest', revision);
    this.#end(revision);
  }

  rollback(): void {
    this.rows.connection.rollback();
  }

  #allow(judge: Judge, kind: string, before: string | null, after: string | null): void {
    const read = (text: string | null): Values | null =>
      text === null ? null : this.rows.decode(kind, text);
    const refused = judge({ kind, before: read(before), after: read(after) });
    if (refused !== null) throw new Forbidden(refused);
  }

  #end(revision: number): void {
    this.#setMeta('revision', revision);
    this.rows.connection.exec('COMMIT');
  }

  #setMeta(name: string, value: number): void {
    this.rows.connection.run(
      'INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
      name,
      String(value),
    );
  }
}
