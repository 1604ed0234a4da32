/**
 * What must hold of a store of the configuration at any time: its log has no gap, and replayed it gives exactly the
 * entities, and they exactly the index rows.
 */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { Catalog } from '../../../src/store/catalog/catalog.ts';

const INDEXES = ['entities', 'uniques', 'refs', 'tags', 'expiries'];

interface Row {
  readonly [name: string]: string | number | null;
}

/** The state at a revision: `kind id` → JSON. */
export class Replay {
  readonly entities: Map<string, string>;
  revision: number;

  constructor(from: Replay | null = null) {
    this.entities = new Map(from?.entities);
    this.revision = from?.revision ?? 0;
  }

  /** Follows a store's log to its end, or to a revision. */
  follow(database: DatabaseSync, to = Infinity): void {
    const changes = database.prepare('SELECT * FROM changes WHERE revision = ?');
    for (const { revision, changes: count } of all(database, 'SELECT * FROM commits ORDER BY revision')) {
      if (Number(revision) <= this.revision || Number(revision) > to) continue;
      assert.equal(revision, this.revision + 1, 'the log has a gap');
      const rows = changes.all(revision ?? 0) as unknown as Row[];
      assert.equal(rows.length, count, `revision ${revision} has not all its changes`);
      for (const { kind, id, before, after } of rows) {
        const name = `${kind} ${id}`;
        assert.equal(this.entities.get(name) ?? null, before, `revision ${revision}: ${name}`);
        if (typeof after === 'string') this.entities.set(name, after);
        else this.entities.delete(name);
      }
      this.revision++;
    }
  }
}

function all(database: DatabaseSync, sql: string): Row[] {
  return database.prepare(sql).all() as unknown as Row[];
}

function number(database: DatabaseSync, sql: string): number {
  return Number(Object.values(all(database, sql)[0] ?? {})[0]);
}

/**
 * Opens the store as the gateway does, looks into everything, and answers its revision.
 * @param scratch an empty catalog.
 */
export function checkStore(path: string, known: Replay, scratch: Catalog): number {
  // This is what makes it whole again.
  new Catalog({ path, durable: true }).close();
  using database = new DatabaseSync(path);
  assert.deepEqual(
    all(database, 'PRAGMA integrity_check').map((row) => row['integrity_check']),
    ['ok'],
  );
  const meta = (name: string): number =>
    number(database, `SELECT coalesce((SELECT value FROM meta WHERE name = '${name}'), 0)`);
  const [head, oldest] = [meta('revision'), meta('oldest')];
  assert.equal(number(database, 'SELECT count(*) FROM commits'), head - oldest);
  assert.equal(number(database, 'SELECT coalesce(max(revision), 0) FROM commits'), head);
  const outside = `SELECT count(*) FROM changes WHERE revision NOT IN (SELECT revision FROM commits)`;
  assert.equal(number(database, outside), 0);
  known.follow(database, head);
  assert.equal(known.revision, head);
  const entities = all(database, 'SELECT * FROM entities');
  assert.deepEqual(new Map(entities.map(({ kind, id, text }) => [`${kind} ${id}`, text])), known.entities);
  checkIndexes(database, scratch);
  return head;
}

/** What follows from the entities is what an empty catalog makes of them. */
function checkIndexes(database: DatabaseSync, scratch: Catalog): void {
  const tx = scratch.begin();
  try {
    const entities = all(database, 'SELECT * FROM entities').map(({ kind, id, text }) => ({
      kind: String(kind),
      id: String(id),
      text: String(text),
    }));
    for (const _ of tx.loadInSteps(entities)) continue;
    for (const table of INDEXES) {
      const sql = `SELECT * FROM ${table}`;
      assert.deepEqual(all(database, sql), tx.rows.connection.all(sql), table);
    }
  } finally {
    tx.rollback();
  }
}
