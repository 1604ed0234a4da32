/** Records with keys for secrets at rest, on SQLite and on Postgres: nothing of them can be read without, and keys change. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { sql } from 'kysely';
import { PostgresLog } from '../../src/store/postgres/postgres-log.ts';
import { PostgresRecords } from '../../src/store/postgres/postgres-records.ts';
import { openHandle } from '../../src/store/postgres/tables.ts';
import type { RecordSeals } from '../../src/store/records/record-seals.ts';
import type { RecordStore } from '../../src/store/records/records.ts';
import { SqliteRecords } from '../../src/store/records/sqlite-records.ts';
import type { Sealer } from '../../src/store/sealing.ts';
import { startPostgres, logOptions, type Postgres } from '../support/postgres.ts';
import { tempDir } from '../support/temp-dir.ts';
import { prepare } from './support/log.ts';
import { recordsContract } from './support/records-contract.ts';
import { recordsProperty } from './support/records-model.ts';
import { sealerWith } from './support/seal-keys.ts';
import { openSqliteRecords } from './support/sqlite-records.ts';

const openSealed = () => openSqliteRecords(sealerWith('a', 'b'));
recordsContract('SQLite, sealed', openSealed);
recordsProperty('SQLite, sealed', openSealed, 20);

const TOKEN = 'a-token-that-nobody-may-read';

interface Opened {
  readonly store: RecordStore;
  readonly seals: RecordSeals;
  readonly close: () => Promise<void>;
}

interface Backend extends AsyncDisposable {
  open(sealer: Sealer): Promise<Opened>;
  /** All that is stored. */
  bytes(): Promise<string>;
}

async function sqlite(): Promise<Backend> {
  const folder = await tempDir();
  const path = join(folder.path, 'records.db');
  return {
    open(sealer) {
      const store = new SqliteRecords({ path, exists: () => true, sealer });
      return Promise.resolve({ store, seals: store.seals, close: () => Promise.resolve(store.close()) });
    },
    bytes: () => readFile(path, 'latin1'),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

let server: Postgres;
before(async () => {
  server = await startPostgres();
  await prepare(logOptions(server));
});
after(() => server[Symbol.asyncDispose]());

function postgres(): Promise<Backend> {
  const options = logOptions(server);
  return Promise.resolve({
    async open(sealer) {
      const log = await PostgresLog.open(options);
      const store = new PostgresRecords(sealer);
      store.attach(log);
      return {
        store,
        seals: store,
        async close() {
          store.close();
          await log.close();
        },
      };
    },
    async bytes() {
      const handle = openHandle(options.primary, { onAnswer: () => undefined, onFailure: () => undefined });
      const { schema } = options.primary;
      const table = (name: string) => sql.id(schema, name);
      const { rows } = await sql`select records::text, record_uniques::text as index
        from ${table('records')} records left join ${table('record_uniques')} record_uniques using (collection, key)`.execute(
        handle.db,
      );
      await handle.pool.end();
      return JSON.stringify(rows);
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
}

/** A pool of connections is small. */
async function fewAtOnce(names: readonly string[], work: (name: string) => Promise<unknown>): Promise<void> {
  for (let start = 0; start < names.length; start += 20) {
    await Promise.all(names.slice(start, start + 20).map(work));
  }
}

for (const [name, start] of [
  ['SQLite', sqlite],
  ['Postgres', postgres],
] as const) {
  describe(name, () => {
    test('nothing secret is stored in clear, and it is found', async () => {
      await using backend = await start();
      const { store, close } = await backend.open(sealerWith('a'));
      const c = randomUUID();
      const record = { key: 'k', value: { access: TOKEN }, unique: { refresh: `${TOKEN}-2` } };
      assert.ok((await store.put(c, record)).stored);
      assert.deepEqual((await store.findBy(c, 'refresh', `${TOKEN}-2`))?.value, { access: TOKEN });
      await close();
      const bytes = await backend.bytes();
      assert.ok(bytes.includes('$sluice$1$'));
      assert.ok(!bytes.includes(TOKEN));
    });

    test('keys come and change: what is there stays readable, unique and removable', async () => {
      await using backend = await start();
      const c = randomUUID();
      const put = async (sealer: Sealer, key: string): Promise<boolean> => {
        const { store, close } = await backend.open(sealer);
        const done = await store.put(c, { key, value: { key }, unique: { i: key } });
        await close();
        return done.stored;
      };
      assert.ok(await put(sealerWith(), 'clear'));
      assert.ok(await put(sealerWith('old'), 'old'));
      const { store, close } = await backend.open(sealerWith('new', 'old'));
      for (const key of ['clear', 'old']) {
        assert.deepEqual((await store.findBy(c, 'i', key))?.value, { key });
        const taken = await store.put(c, { key: 'other', value: {}, unique: { i: key } });
        assert.deepEqual(taken, { stored: false, conflict: 'unique' }, key);
        const own = await store.put(c, { key, value: { again: true }, unique: { i: key } });
        assert.ok(own.stored, key);
        assert.deepEqual((await store.findBy(c, 'i', key))?.value, { again: true });
      }
      assert.ok(await store.delete(c, 'old'));
      assert.ok((await store.put(c, { key: 'other', value: {}, unique: { i: 'old' } })).stored);
      await close();
      const { store: later, close: closeLater } = await backend.open(sealerWith('new'));
      assert.deepEqual((await later.get(c, 'clear'))?.value, { again: true });
      await closeLater();
    });

    test('rotation beside writes: nothing is lost, and nothing needs the old key', async () => {
      await using backend = await start();
      const c = randomUUID();
      const names = Array.from({ length: 400 }, (_, n) => `n${n}`);
      const { store, close } = await backend.open(sealerWith('old'));
      const versions = new Map<string, number>();
      await fewAtOnce(names, async (key) => {
        const put = await store.put(c, { key, value: { key }, unique: { i: key } }, { ttlMs: 1e8 });
        if (put.stored) versions.set(key, put.version);
      });
      await close();
      const { store: both, seals, close: closeBoth } = await backend.open(sealerWith('new', 'old'));
      const kept = names.filter((_, n) => n % 10 > 1);
      await Promise.all([
        seals.reseal(),
        fewAtOnce(
          names.filter((_, n) => n % 10 === 0),
          (key) => both.delete(c, key),
        ),
        fewAtOnce(
          names.filter((_, n) => n % 10 === 1),
          (key) => both.put(c, { key, value: { again: key }, unique: { i: key } }),
        ),
      ]);
      // Caches and compare-and-set see no other record.
      for (const key of kept.slice(0, 20)) {
        const found = await both.findBy(c, 'i', key);
        assert.deepEqual([found?.value, found?.version], [{ key }, versions.get(key)]);
        assert.ok((found?.ttlMs ?? 0) > 1e7);
        const taken = await both.put(c, { key: 'other', value: {}, unique: { i: key } });
        assert.deepEqual(taken, { stored: false, conflict: 'unique' });
      }
      await both.delete(c, 'other');
      await seals.reseal();
      assert.ok(await seals.scrub());
      await closeBoth();
      const { store: later, close: closeLater } = await backend.open(sealerWith('new'));
      for (const [n, key] of names.entries()) {
        const value = n % 10 === 1 ? { again: key } : { key };
        const wanted = n % 10 === 0 ? undefined : value;
        assert.deepEqual((await later.findBy(c, 'i', key))?.value, wanted, key);
      }
      await closeLater();
      assert.ok(!(await backend.bytes()).includes(`$sluice$1$${sealerWith('old').keyIds[0]}`));
    });

    test('a record whose key was away while another took its value', async () => {
      await using backend = await start();
      const c = randomUUID();
      for (const [name, key] of [
        ['old', 'first'],
        ['new', 'second'],
      ] as const) {
        const { store, close } = await backend.open(sealerWith(name));
        assert.ok((await store.put(c, { key, value: { key }, unique: { i: 'x' } })).stored);
        await close();
      }
      const { store, seals, close } = await backend.open(sealerWith('new', 'old'));
      await seals.reseal();
      assert.equal((await seals.reseal()).records, 0);
      assert.equal((await store.findBy(c, 'i', 'x'))?.key, 'second');
      // It goes, and the other stays where it is found.
      assert.ok(await store.delete(c, 'first'));
      assert.equal((await store.findBy(c, 'i', 'x'))?.key, 'second');
      await close();
    });

    test('a key that is gone: it is named, and the record can be removed', async () => {
      await using backend = await start();
      const c = randomUUID();
      const { store, close } = await backend.open(sealerWith('lost'));
      await store.put(c, { key: 'k', value: {}, unique: { i: 'x' } });
      await close();
      const { store: other, close: closeOther } = await backend.open(sealerWith('another'));
      await assert.rejects(
        other.get(c, 'k'),
        /records .* k is sealed with the key [0-9a-f]{8}, which is not there/,
      );
      assert.ok(await other.delete(c, 'k'));
      assert.equal(await other.get(c, 'k'), null);
      await closeOther();
    });
  });
}
