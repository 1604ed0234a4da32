/** A node without workers: a catalog in a temporary folder that follows a shared log, and the store on it. */
import { join } from 'node:path';
import { Catalog } from '../../../src/store/catalog/catalog.ts';
import { CatalogStore } from '../../../src/store/catalog-store.ts';
import type { Committed, Write } from '../../../src/store/config-store.ts';
import { ROUTE_CHECKS } from '../../../src/store/file/route-checks.ts';
import { Follower } from '../../../src/store/follower.ts';
import type { PostgresOptions } from '../../../src/store/postgres/options.ts';
import { PostgresLog } from '../../../src/store/postgres/postgres-log.ts';

export interface Node extends AsyncDisposable {
  readonly store: CatalogStore;
  readonly follower: Follower;
  /** `level message` lines. */
  readonly lines: readonly string[];
  commit(...writes: Write[]): Promise<Committed>;
  names(): string[];
}

/** @param folder what it keeps between two starts. */
export async function startNode(options: PostgresOptions, folder: string): Promise<Node> {
  const lines: string[] = [];
  const catalog = new Catalog({ path: join(folder, 'copy.db'), durable: false });
  const follower = new Follower({
    catalog,
    connect: () => PostgresLog.open(options),
    retention: 1000,
    log: (level, message) => void lines.push(`${level} ${message}`),
  });
  const store = new CatalogStore({
    catalog,
    context: () => ({ flavor: 'traditional_compatible', ...ROUTE_CHECKS }),
    retention: 1000,
    sequencer: follower,
  });
  try {
    await follower.start(store);
  } catch (error) {
    catalog.close();
    throw error;
  }
  let open = true;
  return {
    store,
    follower,
    lines,
    commit: (...writes) => store.commit(writes, { author: { name: null, source: 'test', message: null } }),
    names: () => [...store.all('services')].map(({ name }) => String(name)).toSorted(),
    async [Symbol.asyncDispose]() {
      if (!open) return;
      open = false;
      await follower.close();
      // Whatever was under way has ended.
      await store.exclusive(() => Promise.resolve());
      catalog.close();
    },
  };
}

export function service(name: string, host = 'up.test'): Write {
  return { op: 'create', kind: 'services', input: { name, host } };
}
