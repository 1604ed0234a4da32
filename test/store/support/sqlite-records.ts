/** Records in SQLite beside a catalog, as the main thread opens them. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Catalog } from '../../../src/store/catalog/catalog.ts';
import { CatalogStore } from '../../../src/store/catalog-store.ts';
import { Cascade } from '../../../src/store/records/cascade.ts';
import { SqliteRecords } from '../../../src/store/records/sqlite-records.ts';
import type { Sealer } from '../../../src/store/sealing.ts';
import { tempDir } from '../../support/temp-dir.ts';
import type { OpenRecords } from './records-contract.ts';

export const BY = { author: { name: null, source: 'test', message: null } };

export interface Node extends Disposable {
  readonly store: CatalogStore;
  readonly records: SqliteRecords;
  readonly cascade: Cascade;
  /** Why the cascade could not follow the log. */
  readonly errors: readonly string[];
}

export function openNode(folder: string, retention = 1000, sealer?: Sealer): Node {
  const catalog = new Catalog({ path: join(folder, 'store.db'), durable: true });
  const { reader } = catalog;
  const records = new SqliteRecords({
    path: join(folder, 'records.db'),
    exists: ({ kind, id }) => reader.has(kind, id),
    ...(sealer !== undefined && { sealer }),
  });
  const errors: string[] = [];
  const cascade = new Cascade({ records, reader, onError: (reason) => void errors.push(reason) });
  const store = new CatalogStore({
    catalog,
    context: () => ({ flavor: 'traditional_compatible' }),
    retention,
    live: async (revision) => {
      await cascade.followed(revision);
      return [];
    },
  });
  store.onCommit(() => cascade.notice());
  return {
    store,
    records,
    cascade,
    errors,
    [Symbol.dispose]() {
      records.close();
      catalog.close();
    },
  };
}

export interface OpenSqliteRecords extends OpenRecords {
  /** How many rows each table has. */
  rows(): Readonly<Record<string, number>>;
}

export async function openSqliteRecords(sealer?: Sealer): Promise<OpenSqliteRecords> {
  const folder = await tempDir();
  const node = openNode(folder.path, 1000, sealer);
  return {
    store: node.records,
    other: node.records,
    async makeOwner() {
      const id = randomUUID();
      await node.store.commit([{ op: 'create', kind: 'consumers', input: { id, username: id } }], BY);
      return { kind: 'consumers', id };
    },
    async removeOwner({ kind, id }) {
      await node.store.commit([{ op: 'delete', kind, select: { id } }], BY);
      assert.deepEqual(node.errors, []);
    },
    pass(ms) {
      using database = new DatabaseSync(join(folder.path, 'records.db'));
      database.exec(
        `UPDATE records SET expires = expires - ${ms}; UPDATE counters SET expires = expires - ${ms}`,
      );
      return Promise.resolve();
    },
    rows() {
      using database = new DatabaseSync(join(folder.path, 'records.db'));
      const count = (table: string): unknown =>
        database.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.['n'];
      return Object.fromEntries(
        ['records', 'uniques', 'owners', 'counters'].map((table) => [table, Number(count(table))]),
      );
    },
    async [Symbol.asyncDispose]() {
      node[Symbol.dispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}
