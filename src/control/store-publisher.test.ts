import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { tempDir } from '../../test/support/temp-dir.ts';
import { readImage } from '../snapshot/image.ts';
import { Catalog } from '../store/catalog/catalog.ts';
import { CatalogStore } from '../store/catalog-store.ts';
import type { CommitOptions, Write } from '../store/config-store.ts';
import { DirectoryWriter } from '../zone/directory/writer.ts';
import { DirectoryKeeper } from './directory-keeper.ts';
import type { StoreRevision } from './served.ts';
import { StorePublisher } from './store-publisher.ts';

const BY: CommitOptions = { author: { name: null, source: 'test', message: null } };
const MANY = 3000;

interface Opened extends AsyncDisposable {
  readonly store: CatalogStore;
  readonly publisher: StorePublisher;
  /** What was published. */
  readonly published: StoreRevision[];
}

async function open(): Promise<Opened> {
  const folder = await tempDir();
  const catalog = new Catalog({ path: join(folder.path, 'store.db'), durable: false });
  const context = (): { flavor: 'traditional_compatible' } => ({ flavor: 'traditional_compatible' });
  const store = new CatalogStore({ catalog, context, retention: 1000 });
  const published: StoreRevision[] = [];
  const publisher = new StorePublisher({
    store,
    publish: async (next) => {
      published.push(next);
      return [];
    },
    directory: new DirectoryKeeper(new DirectoryWriter([])),
    log: () => undefined,
  });
  return {
    store,
    publisher,
    published,
    async [Symbol.asyncDispose]() {
      publisher.stop();
      catalog.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

function* services(from: number, count: number): Generator<Write> {
  for (let n = from; n < from + count; n++) {
    yield { op: 'create', kind: 'services', input: { name: `s${n}`, host: 'a.test' } };
  }
}

function names(image: SharedArrayBuffer | null | undefined): string[] {
  assert.ok(image);
  return [...readImage(image).entities()].map(({ entity }) => String(entity['name'])).sort();
}

test('an image is of the revision that is published, also when a commit has come meanwhile', async () => {
  await using opened = await open();
  const { store, publisher, published } = opened;
  await store.commit(services(0, 2), BY);
  await publisher.first(null);
  await store.commit(services(2, 1), BY);
  const image = await published[0]?.image();
  assert.ok(image);
  assert.equal(readImage(image).revision, 1);
  // The commit on top of it finds what it puts, or not.
  await publisher.live(2);
  assert.equal(published[1]?.delta === null, false);
  assert.deepEqual(names(published[1]?.delta), ['s2']);
});

test('what is large is made while others run, of one state, and once for all who ask', async () => {
  await using opened = await open();
  const { store, publisher, published } = opened;
  await publisher.first(null);
  await store.commit(services(0, MANY), BY);
  let turns = 0;
  const turn = (): void => {
    turns++;
    setImmediate(turn).unref();
  };
  turn();
  const live = publisher.live(1);
  await store.commit(services(MANY, 1), BY);
  await live;
  assert.ok(turns > 2, `${turns} turns of the event loop`);
  assert.equal(readImage(published[1]?.delta ?? new SharedArrayBuffer(0)).length, MANY);
  const [, large] = published;
  assert.ok(large);
  const [one, other] = await Promise.all([large.image(), large.image()]);
  assert.equal(one, other);
  assert.equal(names(one).length, MANY + 1);
});

test('entities of two kinds may have one id', async () => {
  await using opened = await open();
  const { store, publisher, published } = opened;
  await publisher.first(null);
  const id = '0b9a1c1e-6a9b-4a3b-8f6e-0d6f3e1f2a3b';
  await store.commit(
    [
      { op: 'create', kind: 'services', input: { id, name: 's', host: 'a.test' } },
      { op: 'create', kind: 'routes', input: { id, name: 'r', paths: ['/'], service: { id } } },
    ],
    BY,
  );
  await publisher.live(1);
  assert.deepEqual(names(published[1]?.delta), ['r', 's']);
});
