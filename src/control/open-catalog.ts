/** The files of a prefix that have the configuration, opened with the keys of the settings, or told what is wrong. */
import { join } from 'node:path';
import { existsSync, statSync } from '../lib/node-fs.ts';
import type { Settings } from '../settings/settings.ts';
import { Catalog } from '../store/catalog/catalog.ts';
import { sealedCodec } from '../store/catalog/codec.ts';
import { cannotUse } from '../store/disk-failure.ts';
import type { Owner } from '../store/records/records.ts';
import { SqliteRecords } from '../store/records/sqlite-records.ts';
import { loadSealKeys } from '../store/seal-keys.ts';
import { createSealer, type Sealer } from '../store/sealing.ts';

/** Bytes of a page of SQLite. */
const PAGE = 4096;

export function sqlitePath({ prefix }: Settings): string {
  return join(prefix, 'store.db');
}

export function recordsPath({ prefix }: Settings): string {
  return join(prefix, 'records.db');
}

/** Keys that are wrong are told before anything is written with them. @throws SealingError */
export function sealerOf(settings: Settings): Sealer {
  return createSealer(loadSealKeys(settings));
}

/** @throws Error that says what is wrong with it. */
export function openCatalog(settings: Settings, path: string, durable: boolean): Catalog {
  const codec = sealedCodec(sealerOf(settings));
  return opened(path, () => new Catalog({ path, durable, codec }));
}

/** Records lie beside the catalog. @throws Error that says what is wrong with them. */
export function openRecordFile(settings: Settings, { reader }: Catalog): SqliteRecords {
  const path = recordsPath(settings);
  const exists = ({ kind, id }: Owner): boolean => reader.has(kind, id);
  return opened(path, () => new SqliteRecords({ path, exists, sealer: sealerOf(settings) }));
}

/** A copy of what the database has: it need not survive a power cut to the last commit. */
export function openCopy(settings: Settings): Catalog {
  try {
    return openCatalog(settings, join(settings.prefix, 'postgres-copy.db'), false);
  } catch (error) {
    if (!(error instanceof Error && /malformed|not a database/.test(error.message))) throw error;
    const hint =
      'it is a copy: remove postgres-copy.db*, and the node loads the configuration from the database';
    throw new Error(`${error.message} (${hint})`, { cause: error });
  }
}

/** A store's first page alone, without the log that has the others: SQLite takes it for a new file. */
export function isHalfCopy(path: string): boolean {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  return size > 0 && size <= PAGE && !existsSync(`${path}-wal`);
}

/** @throws Error that names the file. */
function opened<T>(path: string, open: () => T): T {
  try {
    return open();
  } catch (error) {
    throw cannotUse(path, error);
  }
}
