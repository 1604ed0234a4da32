/** A victim that commits to a store of the configuration: `write-config.ts FILE RETENTION`. */
import { randomInt, randomUUID } from 'node:crypto';
import { writeSync } from 'node:fs';
import { once } from 'node:events';
import { flushCompileCache } from 'node:module';
import { Catalog } from '../../../src/store/catalog/catalog.ts';
import { CatalogStore } from '../../../src/store/catalog-store.ts';
import type { Committed, Write } from '../../../src/store/config-store.ts';
import { StoreError } from '../../../src/store/errors.ts';

const BY = { author: { name: 'victim', source: 'test', message: null } };
const NAMES = 12;

const pick = (prefix: string): string => `${prefix}${randomInt(NAMES)}`;
const tags = (): string[] => Array.from({ length: randomInt(3) }, (_, n) => `t${n}-${randomInt(3)}`);

const service = (name = pick('s')): Write => ({
  op: 'put',
  kind: 'services',
  select: { key: name },
  input: { host: `${randomUUID()}.test`, tags: tags() },
});
const route = (): Write => ({
  op: 'put',
  kind: 'routes',
  select: { key: pick('r') },
  input: { paths: [`/${randomUUID()}`], service: { name: pick('s') }, tags: tags() },
});
const consumer = (name = pick('c')): Write => ({
  op: 'put',
  kind: 'consumers',
  select: { key: name },
  input: { custom_id: randomUUID(), tags: tags() },
});
const credential = (): Write => ({
  op: 'create',
  kind: 'keyauth_credentials',
  input: { key: randomUUID(), consumer: { username: pick('c') }, ttl: randomInt(1, 1000) },
});
const remove = (kind: string, key: string): Write => ({ op: 'delete', kind, select: { key } });

/** All routes, so that no service is in use; then a service. */
function cleared(): Write[] {
  const routes = Array.from({ length: NAMES }, (_, n) => remove('routes', `r${n}`));
  return [...routes, remove('services', pick('s')), service(), route()];
}

const LISTS: ReadonlyArray<() => Write[]> = [
  () => [service()],
  () => [service()],
  () => [route()],
  () => [consumer()],
  () => [credential()],
  // Its credentials go along.
  () => [remove('consumers', pick('c'))],
  () => [remove('routes', pick('r'))],
  // Often refused: a route refers to it.
  () => [consumer(), service(), remove('services', pick('s'))],
  cleared,
  () =>
    Array.from(
      { length: randomInt(2, 20) },
      () => [service(), route(), consumer(), credential()][randomInt(4)] ?? route(),
    ),
  // A name that another one had in the same commit.
  () => [
    remove('consumers', 'c0'),
    { op: 'create', kind: 'consumers', input: { username: 'c0' } },
    consumer('c1'),
  ],
];

async function commit(store: CatalogStore): Promise<Committed | null> {
  if (randomInt(12) === 0 && store.oldest < store.revision) {
    return await store.restore(randomInt(store.oldest, store.revision), BY);
  }
  const writes = LISTS[randomInt(LISTS.length)]?.() ?? [];
  try {
    return await store.commit(writes, { ...BY, dryRun: randomInt(20) === 0 });
  } catch (error) {
    if (error instanceof StoreError) return null;
    throw error;
  }
}

const [, , path = '', retention = ''] = process.argv;
// Whoever is killed does not do it at its end.
flushCompileCache();
writeSync(1, 'ready\n');
await once(process.stdin, 'data');
const store = new CatalogStore({
  catalog: new Catalog({ path, durable: true }),
  context: () => ({ flavor: 'traditional_compatible' }),
  retention: Number(retention),
});
for (;;) {
  const committed = await commit(store);
  if (committed !== null) writeSync(1, `${committed.revision}\n`);
}
