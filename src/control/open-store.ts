/** The store that the settings name, open, and what brings its revisions to the workers. */
import { join } from 'node:path';
import type { Catalog } from '../store/catalog/catalog.ts';
import { CatalogStore, type Sequencer } from '../store/catalog-store.ts';
import type { ConfigStore } from '../store/config-store.ts';
import { withExpiries } from '../store/file/expiry.ts';
import { ROUTE_CHECKS } from '../store/file/route-checks.ts';
import { cannotUse, DiskFailure } from '../store/disk-failure.ts';
import { StoreUnavailable } from '../store/errors.ts';
import { FileStore } from '../store/file-store.ts';
import type { Reach } from '../store/follower.ts';
import { SecretKeeper, type SharedSeals } from '../store/secret-keeper.ts';
import type { SharedLog } from '../store/shared-log.ts';
import { Cascade } from '../store/records/cascade.ts';
import type { RecordStore } from '../store/records/records.ts';
import type { SqliteRecords } from '../store/records/sqlite-records.ts';
import { readImage } from '../snapshot/image.ts';
import type { Settings } from '../settings/settings.ts';
import { StoreTokens } from './access/store-tokens.ts';
import type { TokenStore } from './access/token-store.ts';
import type { Log } from './log.ts';
import { isHalfCopy, openCatalog, openCopy, openRecordFile, sealerOf, sqlitePath } from './open-catalog.ts';
import type { Reloader } from './reload.ts';
import { StorePublisher } from './store-publisher.ts';

export interface OpenStore {
  readonly store: ConfigStore;
  /** Null without a database: the declarative file is published instead. */
  readonly publisher: StorePublisher | null;
  /** Null where there is nothing to be reached. */
  readonly reach: (() => Reach) | null;
  /** Null without a database: a file of the prefix has them. */
  readonly tokens: TokenStore | null;
  /** Null without a database. */
  readonly secrets: SecretKeeper | null;
  /** Null where nothing can be written. */
  readonly records: RecordStore | null;
  /** Runs what changes the kinds that plugins bring; reads and commits see all of it or nothing. */
  swapKinds(swap: () => void): Promise<void>;
  close(): void;
}

/** @throws Error that says what is wrong with the store. */
export async function openStore(settings: Settings, reloader: Reloader, log: Log): Promise<OpenStore> {
  switch (settings.database) {
    case 'off':
      return fileStore(settings, reloader);
    case 'sqlite':
      return sqliteStore(settings, reloader, log);
    default:
      return postgresStore(settings, reloader, log);
  }
}

function fileStore({ prefix }: Settings, reloader: Reloader): OpenStore {
  const store = new FileStore(join(prefix, 'dbless.db'), () => {
    const { image, revision } = reloader.loaded;
    return { revision, entities: () => (image === null ? [] : withExpiries(readImage(image).entities())) };
  });
  return {
    store,
    publisher: null,
    tokens: null,
    secrets: null,
    records: null,
    reach: null,
    swapKinds: (swap) => Promise.resolve(swap()),
    close: () => store.close(),
  };
}

async function sqliteStore(settings: Settings, reloader: Reloader, log: Log): Promise<OpenStore> {
  const path = sqlitePath(settings);
  const left = isHalfCopy(path);
  const catalog = openCatalog(settings, path, true);
  if (left) {
    log(
      'warn',
      `${path} held nothing: if it is a copy from a running gateway, its store.db-wal was left behind`,
    );
  }
  await named(async () => {
    await catalog.syncKinds();
    tellKept(catalog, log);
  });
  const { records, cascade } = openRecords(settings, catalog, log);
  const { store, publisher } = storeOn(catalog, { settings, reloader, log, cascade, sequencer: null });
  const close = (): void => {
    publisher.stop();
    records.close();
    catalog.close();
  };
  const secrets = new SecretKeeper({ catalog, store, records: records.seals });
  const swapKinds = swapper(catalog, store, log);
  return {
    store,
    publisher,
    tokens: new StoreTokens(store),
    secrets,
    records,
    reach: null,
    swapKinds,
    close,
  };
}

/** @throws Error that names the file, when it cannot be read. */
async function named(reading: () => Promise<void>): Promise<void> {
  try {
    await reading();
  } catch (error) {
    throw error instanceof DiskFailure ? cannotUse(error.path, error) : error;
  }
}

function swapper(catalog: Catalog, store: CatalogStore, log: Log): OpenStore['swapKinds'] {
  return (swap) =>
    store.exclusive(async () => {
      swap();
      await catalog.syncKinds();
      tellKept(catalog, log);
    });
}

/** Nobody loses what belongs to a plugin that is not there now. */
function tellKept(catalog: Catalog, log: Log): void {
  for (const [kind, count] of catalog.kept()) {
    log(
      'warn',
      `${count} entities of ${kind} are kept and not served: no plugin brings this kind now; what they refer to cannot be deleted`,
    );
  }
}

/** The driver is loaded here: no other store pays for it. */
async function postgresStore(settings: Settings, reloader: Reloader, log: Log): Promise<OpenStore> {
  const [{ Follower }, { PostgresLog }, { PostgresRecords }, { postgresOptions }] = await Promise.all([
    import('../store/follower.ts'),
    import('../store/postgres/postgres-log.ts'),
    import('../store/postgres/postgres-records.ts'),
    import('../store/postgres/options.ts'),
  ]);
  const catalog = openCopy(settings);
  const records = new PostgresRecords(sealerOf(settings));
  let connected: SharedSeals | null = null;
  const connect = async (): Promise<SharedLog> => {
    const opened = await PostgresLog.open(postgresOptions(settings, settings.log_retention));
    records.attach(opened);
    connected = opened;
    return opened;
  };
  const follower = new Follower({ catalog, connect, retention: settings.log_retention, log });
  const { store, publisher } = storeOn(catalog, {
    settings,
    reloader,
    log,
    cascade: null,
    sequencer: follower,
  });
  const close = (): void => {
    publisher.stop();
    records.close();
    // What it may still be doing with the catalog ends with its connections.
    void follower.close().finally(() => catalog.close());
  };
  try {
    await named(() => catalog.syncKinds());
    await follower.start(store);
    tellKept(catalog, log);
  } catch (error) {
    close();
    throw error instanceof StoreUnavailable ? notReached(settings, error) : error;
  }
  const tokens = new StoreTokens(store);
  const secrets = new SecretKeeper({ catalog, store, records, shared: () => connected });
  const swapKinds = swapper(catalog, store, log);
  return { store, publisher, tokens, secrets, records, reach: () => follower.reach, swapKinds, close };
}

/** As `sluice migrations` says it: a start that fails names what it asked. */
function notReached({ pg_database, pg_host, pg_port }: Settings, error: StoreUnavailable): Error {
  const reason = error.message.replace(/^the database: /, '');
  return new Error(`database ${pg_database} at ${pg_host}, port ${pg_port}: ${reason}`, { cause: error });
}

interface Parts {
  readonly settings: Settings;
  readonly reloader: Reloader;
  readonly log: Log;
  /** What records need to follow; null where they follow by themselves. */
  readonly cascade: Cascade | null;
  readonly sequencer: Sequencer | null;
}

function storeOn(
  catalog: Catalog,
  { settings, reloader, log, cascade, sequencer }: Parts,
): { store: CatalogStore; publisher: StorePublisher } {
  const store = new CatalogStore({
    catalog,
    context: () => ({ flavor: settings.router_flavor, ...ROUTE_CHECKS }),
    retention: settings.log_retention,
    sequencer,
    async live(revision) {
      const [warnings] = await Promise.all([publisher.live(revision), cascade?.followed(revision)]);
      return warnings;
    },
  });
  const publisher = new StorePublisher({
    store,
    publish: (next) => reloader.publish(next),
    directory: reloader.directory,
    log,
  });
  store.onCommit(() => {
    cascade?.notice();
    publisher.notice();
  });
  return { store, publisher };
}

/** Records lie beside the catalog and follow its log. */
function openRecords(
  settings: Settings,
  catalog: Catalog,
  log: Log,
): { records: SqliteRecords; cascade: Cascade } {
  const { reader } = catalog;
  const records = openRecordFile(settings, catalog);
  const onError = (reason: string): void =>
    log('error', `records of deleted entities are still there: ${reason}`);
  return { records, cascade: new Cascade({ records, reader, onError }) };
}
