/**
 * The tables of records in SQLite, and their version. `uniques` and `owners` follow from the record's own row and
 * change in the transaction that changes it.
 */
import type { Connection } from '../catalog/connection.ts';
import { WrongCatalog } from '../catalog/tables.ts';

const VERSION = 1;

const TABLES = `
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID, STRICT;
CREATE TABLE versions (last INTEGER NOT NULL) STRICT;
INSERT INTO versions VALUES (0);
CREATE TABLE records (
  collection TEXT, key TEXT, version INTEGER NOT NULL, expires INTEGER, content TEXT NOT NULL,
  PRIMARY KEY (collection, key)
) WITHOUT ROWID, STRICT;
CREATE INDEX records_expires ON records (expires) WHERE expires IS NOT NULL;
CREATE TABLE uniques (
  collection TEXT, field TEXT, value TEXT, key TEXT NOT NULL, PRIMARY KEY (collection, field, value)
) WITHOUT ROWID, STRICT;
CREATE TABLE owners (
  kind TEXT, id TEXT, collection TEXT, key TEXT, PRIMARY KEY (kind, id, collection, key)
) WITHOUT ROWID, STRICT;
CREATE TABLE counters (
  collection TEXT, key TEXT, value INTEGER NOT NULL, expires INTEGER NOT NULL, PRIMARY KEY (collection, key)
) WITHOUT ROWID, STRICT;
CREATE INDEX counters_expires ON counters (expires);
`;

/** @throws WrongCatalog when a newer Sluice made the file. */
export function prepareRecordTables(connection: Connection): void {
  const version = Number(connection.get('PRAGMA user_version')?.['user_version']);
  if (version === VERSION) return;
  if (version !== 0) {
    throw new WrongCatalog(`it has version ${version}, made by a newer Sluice; this one knows ${VERSION}`);
  }
  connection.exec(`BEGIN IMMEDIATE; ${TABLES} PRAGMA user_version = ${VERSION}; COMMIT`);
}
