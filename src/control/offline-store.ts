/** The SQLite store of a gateway that does not run, for commands: its prefix is locked meanwhile. */
import { chownSync, existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeFolder } from '../lib/make-folder.ts';
import type { Settings } from '../settings/settings.ts';
import type { Catalog } from '../store/catalog/catalog.ts';
import { CatalogStore } from '../store/catalog-store.ts';
import { ROUTE_CHECKS } from '../store/file/route-checks.ts';
import type { RecordSeals } from '../store/records/record-seals.ts';
import { openCatalog, openRecordFile, recordsPath, sqlitePath } from './open-catalog.ts';
import { lockPrefix, pidFilePath } from './prefix-lock.ts';

export interface OfflineStore {
  readonly store: CatalogStore;
  readonly catalog: Catalog;
  /** Opens them. */
  readonly records: () => RecordSeals;
}

/** @throws PrefixInUse; Error that says what is wrong with the store. */
export async function withOfflineStore<T>(
  settings: Settings,
  use: (opened: OfflineStore) => Promise<T>,
): Promise<T> {
  const { prefix } = settings;
  const path = sqlitePath(settings);
  makeFolder(prefix);
  const fresh = [path, recordsPath(settings), dirname(pidFilePath(prefix))].filter((one) => !existsSync(one));
  const lock = await lockPrefix(prefix);
  try {
    const catalog = openCatalog(settings, path, true);
    using closing = new DisposableStack();
    closing.defer(() => catalog.close());
    const context = () => ({ flavor: settings.router_flavor, ...ROUTE_CHECKS });
    return await use({
      catalog,
      records() {
        const opened = openRecordFile(settings, catalog);
        closing.defer(() => opened.close());
        return opened.seals;
      },
      store: new CatalogStore({ catalog, context, retention: settings.log_retention }),
    });
  } finally {
    lock.release();
    for (const made of fresh) giveToOwner(made, prefix);
  }
}

/** What root makes for a gateway that does not run as root belongs to whom the prefix belongs to. */
function giveToOwner(path: string, folder: string): void {
  if (process.getuid?.() !== 0 || !existsSync(path)) return;
  const { uid, gid } = statSync(folder);
  chownSync(path, uid, gid);
}
