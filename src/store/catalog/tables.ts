/**
 * The tables of a catalog, and its version.
 *
 * `entities` holds each entity as JSON. `uniques`, `refs`, `tags` and `expiries` say what of it must be found without
 * reading all: they follow from the entity alone (`row-index.ts`) and change in the transaction that changes it.
 * `commits` and `changes` are the log.
 */
import type { Connection } from './connection.ts';

const VERSION = 1;

const TABLES = `
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID, STRICT;
CREATE TABLE entities (kind TEXT, id TEXT, text TEXT NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID, STRICT;
CREATE TABLE uniques (
  kind TEXT, field TEXT, value TEXT, id TEXT NOT NULL, PRIMARY KEY (kind, field, value)
) WITHOUT ROWID, STRICT;
CREATE TABLE refs (
  parent TEXT, kind TEXT, field TEXT, id TEXT, PRIMARY KEY (parent, kind, field, id)
) WITHOUT ROWID, STRICT;
CREATE TABLE tags (tag TEXT, kind TEXT, id TEXT, PRIMARY KEY (tag, kind, id)) WITHOUT ROWID, STRICT;
CREATE TABLE expiries (at INTEGER, kind TEXT, id TEXT, PRIMARY KEY (at, kind, id)) WITHOUT ROWID, STRICT;
CREATE TABLE commits (
  revision INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, time INTEGER NOT NULL,
  name TEXT, source TEXT NOT NULL, message TEXT, changes INTEGER NOT NULL
) STRICT;
CREATE TABLE changes (
  revision INTEGER, kind TEXT, id TEXT, before TEXT, after TEXT, PRIMARY KEY (revision, kind, id)
) WITHOUT ROWID, STRICT;
`;

export class WrongCatalog extends Error {}

/** Makes the tables where there are none. @throws WrongCatalog when a newer Sluice made the file. */
export function prepareTables(connection: Connection): void {
  const version = Number(connection.get('PRAGMA user_version')?.['user_version']);
  if (version === VERSION) return;
  if (version !== 0) {
    throw new WrongCatalog(`it has version ${version}, made by a newer Sluice; this one knows ${VERSION}`);
  }
  connection.exec(`BEGIN IMMEDIATE; ${TABLES} PRAGMA user_version = ${VERSION}; COMMIT`);
}
