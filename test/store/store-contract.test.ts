/** The contract of the configuration's store on every backend: SQLite, Postgres (straight and behind PgBouncer), a file. */
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Catalog } from '../../src/store/catalog/catalog.ts';
import { CatalogStore } from '../../src/store/catalog-store.ts';
import type { Write } from '../../src/store/config-store.ts';
import { StoreError } from '../../src/store/errors.ts';
import { FileStore } from '../../src/store/file-store.ts';
import { startPgBouncer, type PgBouncer } from '../support/pgbouncer.ts';
import { logOptions, startPostgres, type Postgres } from '../support/postgres.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';
import { prepare } from './support/log.ts';
import { startNode } from './support/node.ts';
import { BY, readContract, writeContract, type OpenedStore, type Opener } from './support/store-contract.ts';

let postgres: Postgres;
let bouncer: PgBouncer;
let folder: TempDir;
let count = 0;

before(async () => {
  folder = await tempDir();
  postgres = await startPostgres();
  bouncer = await startPgBouncer(postgres);
});

after(async () => {
  await bouncer[Symbol.asyncDispose]();
  await postgres[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

async function openSqlite(writes: readonly Write[]): Promise<OpenedStore & { readonly store: CatalogStore }> {
  const catalog = new Catalog({ path: join(folder.path, `${++count}.db`), durable: true });
  const context = (): { flavor: 'traditional_compatible' } => ({ flavor: 'traditional_compatible' });
  const store = new CatalogStore({ catalog, context, retention: 1000 });
  if (writes.length > 0) await store.commit(writes, BY);
  return {
    store,
    [Symbol.asyncDispose]() {
      catalog.close();
      return Promise.resolve();
    },
  };
}

/** A schema and a copy of its own for each. */
const openPostgres =
  (port: () => number): Opener =>
  async (writes) => {
    const name = `c${++count}`;
    const base = logOptions(postgres, { port: port() });
    const options = { ...base, primary: { ...base.primary, schema: name } };
    await prepare(options);
    const path = join(folder.path, name);
    await mkdir(path);
    const node = await startNode(options, path);
    if (writes.length > 0) await node.store.commit(writes, BY);
    return node;
  };

const openFile: Opener = async (writes) => {
  const source = await openSqlite(writes);
  const { store } = source;
  const entities = ['services', 'routes'].flatMap((kind) =>
    [...store.all(kind)].map((entity) => ({ kind, entity })),
  );
  await source[Symbol.asyncDispose]();
  const file = new FileStore(join(folder.path, `${++count}.db`), () => ({
    revision: 1,
    entities: () => entities,
  }));
  return {
    store: file,
    [Symbol.asyncDispose]() {
      file.close();
      return Promise.resolve();
    },
  };
};

const BACKENDS: ReadonlyArray<readonly [string, Opener]> = [
  ['SQLite', openSqlite],
  ['Postgres', openPostgres(() => postgres.port)],
  ['PgBouncer', openPostgres(() => bouncer.port)],
];

for (const [name, open] of BACKENDS) writeContract(name, open);
for (const [name, open] of [...BACKENDS, ['file', openFile] as const]) readContract(name, open);

test('file: no write is taken', async () => {
  await using opened = await openFile([]);
  const { store } = opened;
  assert.equal(store.writable, false);
  const write: Write = { op: 'create', kind: 'services', input: { name: 'a', host: 'a.test' } };
  await assert.rejects(
    store.commit([write], BY),
    (error) => error instanceof StoreError && error.code === 12,
  );
});
