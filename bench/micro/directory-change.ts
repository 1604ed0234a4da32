/**
 * A single change of a credential on a node with many consumers, from the commit until all workers serve it:
 * `node bench/micro/directory-change.ts [CONSUMERS]`. Two workers, the SQLite store, no traffic. A commit without
 * the workers is given beside it, since most of the time is the disk's.
 */
import { NameDesk } from '../../src/control/names/name-desk.ts';
import { RecordDesk } from '../../src/control/record-desk.ts';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { openStore } from '../../src/control/open-store.ts';
import { Reloader } from '../../src/control/reload.ts';
import { DEFAULT_TUNING, Supervisor } from '../../src/control/supervisor.ts';
import { loadSettings } from '../../src/settings/load.ts';
import { Catalog } from '../../src/store/catalog/catalog.ts';
import { CatalogStore } from '../../src/store/catalog-store.ts';
import type { ConfigStore } from '../../src/store/config-store.ts';
import { tempDir } from '../../test/support/temp-dir.ts';
import { median } from '../support/statistics.ts';

const COUNT = Number(process.argv[2] ?? 100_000);
const CHANGES = 100;
const AUTHOR = { name: null, source: 'bench', message: null };

function* entities(): Generator<{ kind: string; entity: Record<string, unknown> }> {
  for (let n = 0; n < COUNT; n++) {
    const id = randomUUID();
    const time = { created_at: 1_790_000_000, tags: null };
    yield {
      kind: 'consumers',
      entity: { id, username: `customer-${n}`, custom_id: null, ...time, updated_at: time.created_at },
    };
    yield {
      kind: 'keyauth_credentials',
      entity: { id: randomUUID(), consumer: { id }, key: `key-${n}`, ttl: null, ...time },
    };
  }
}

async function changes(store: ConfigStore): Promise<string> {
  const times: number[] = [];
  for (let n = 0; n < CHANGES; n++) {
    const input = { username: `renamed-${n}` };
    const begun = performance.now();
    await store.commit([{ op: 'patch', kind: 'consumers', select: { key: `customer-${n}` }, input }], {
      author: AUTHOR,
    });
    times.push(performance.now() - begun);
  }
  return `median ${median(times).toFixed(1)} ms, most ${Math.max(...times).toFixed(1)} ms`;
}

async function seed(path: string): Promise<CatalogStore> {
  const catalog = new Catalog({ path, durable: true });
  const context = (): { flavor: 'traditional_compatible' } => ({ flavor: 'traditional_compatible' });
  const store = new CatalogStore({ catalog, context, retention: 10_000 });
  await store.seed(entities(), AUTHOR);
  return store;
}

await using folder = await tempDir();
await using other = await tempDir();
const { settings } = loadSettings({
  file: '/dev/null',
  env: {},
  overrides: { prefix: folder.path, database: 'sqlite', proxy_listen: 'off', nginx_worker_processes: '2' },
});
const log = (level: string, line: string): void => {
  if (level !== 'notice') console.error(`${level}: ${line}`);
};
await seed(join(folder.path, 'store.db'));
const alone = await seed(join(other.path, 'store.db'));
const supervisor = new Supervisor({
  settings,
  log,
  dataPlane: null,
  tuning: DEFAULT_TUNING,
  records: new RecordDesk(),
  names: new NameDesk(settings, log),
});
const reloader = new Reloader({
  supervisor,
  log,
  readSettings: () => loadSettings({ env: {} }),
  checkSettings: () => undefined,
  onSettings: () => undefined,
  settings,
});
const opened = await openStore(settings, reloader, log);
supervisor.spawn();
const begun = performance.now();
await opened.publisher?.first(null);
console.log(`start with ${COUNT} consumers with a key: ${(performance.now() - begun).toFixed(0)} ms`);
console.log(`a change, until both workers serve it: ${await changes(opened.store)}`);
console.log(`a commit alone: ${await changes(alone)}`);
await supervisor.stop(0);
opened.close();
process.exit();
