/** The store that the settings name, open, and what brings its revisions to the workers. */
import { join } from 'node:path';
import { Catalog } from '../store/catalog/catalog.ts';
import { sealedCodec } from '../store/catalog/codec.ts';
import { CatalogStore } from '../store/catalog-store.ts';
import type { ConfigStore } from '../store/config-store.ts';
import { ROUTE_CHECKS } from '../store/file/route-checks.ts';
import { FileStore } from '../store/file-store.ts';
import { loadSealKeys } from '../store/seal-keys.ts';
import { createSealer } from '../store/sealing.ts';
import { readImage } from '../snapshot/image.ts';
import type { Settings } from '../settings/settings.ts';
import type { Log } from './log.ts';
import type { Reloader } from './reload.ts';
import { StorePublisher } from './store-publisher.ts';

export interface OpenStore {
  readonly store: ConfigStore;
  /** Null without a database: the declarative file is published instead. */
  readonly publisher: StorePublisher | null;
  close(): void;
}

/** Commits that the log keeps. */
const RETENTION = 10_000;

/** @throws Error that says what is wrong with the store. */
export function openStore(settings: Settings, reloader: Reloader, log: Log): OpenStore {
  return settings.database === 'off' ? fileStore(settings, reloader) : sqliteStore(settings, reloader, log);
}

function fileStore({ prefix }: Settings, reloader: Reloader): OpenStore {
  const store = new FileStore(join(prefix, 'dbless.db'), () => {
    const { image, revision } = reloader.loaded;
    return { revision, entities: () => (image === null ? [] : readImage(image).entities()) };
  });
  return { store, publisher: null, close: () => store.close() };
}

function sqliteStore(settings: Settings, reloader: Reloader, log: Log): OpenStore {
  const path = join(settings.prefix, 'store.db');
  let catalog: Catalog;
  try {
    catalog = new Catalog({ path, durable: true, codec: sealedCodec(createSealer(loadSealKeys(settings))) });
  } catch (error) {
    throw new Error(`cannot use the store ${path}: ${(error as Error).message}`, { cause: error });
  }
  const store = new CatalogStore({
    catalog,
    context: () => ({ flavor: settings.router_flavor, ...ROUTE_CHECKS }),
    retention: RETENTION,
    live: (revision) => publisher.live(revision),
  });
  const publisher = new StorePublisher({ store, publish: (next) => reloader.publish(next), log });
  store.onCommit(() => publisher.notice());
  return {
    store,
    publisher,
    close() {
      publisher.stop();
      catalog.close();
    },
  };
}
