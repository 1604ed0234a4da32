/** The contract of records on a real Postgres, with two nodes: straight, and through a real PgBouncer. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { sql } from 'kysely';
import { MIGRATIONS } from '../../src/store/postgres/migrations/list.ts';
import { bootstrap, migrate } from '../../src/store/postgres/migrations/migrate.ts';
import type { PostgresOptions } from '../../src/store/postgres/options.ts';
import { PostgresLog } from '../../src/store/postgres/postgres-log.ts';
import { PostgresRecords } from '../../src/store/postgres/postgres-records.ts';
import { openHandle } from '../../src/store/postgres/tables.ts';
import type { Sealer } from '../../src/store/sealing.ts';
import type { Owner } from '../../src/store/records/records.ts';
import { startPgBouncer, type PgBouncer } from '../support/pgbouncer.ts';
import { logOptions, startPostgres, type Postgres } from '../support/postgres.ts';
import { waitFor } from '../support/wait.ts';
import { appendNext, prepare } from './support/log.ts';
import { sealerWith } from './support/seal-keys.ts';
import { recordsContract, type OpenRecords } from './support/records-contract.ts';
import { recordsProperty } from './support/records-model.ts';

const RUNS = Number(process.env['RECORDS_RUNS'] ?? 15);

let postgres: Postgres;
let bouncer: PgBouncer;

before(async () => {
  postgres = await startPostgres();
  bouncer = await startPgBouncer(postgres);
  await prepare(logOptions(postgres));
});

after(async () => {
  await bouncer[Symbol.asyncDispose]();
  await postgres[Symbol.asyncDispose]();
});

interface Node {
  readonly log: PostgresLog;
  readonly records: PostgresRecords;
}

/** Its LISTEN works. */
async function openNode(options: PostgresOptions, sealer?: Sealer): Promise<Node> {
  const log = await PostgresLog.open(options);
  const records = new PostgresRecords(sealer);
  records.attach(log);
  log.watch({ onHead: () => undefined, onReachable: () => undefined });
  const told = Promise.withResolvers<void>();
  records.watch({
    changed: () => undefined,
    telling: (works) => {
      if (works) told.resolve();
    },
  });
  await told.promise;
  return { log, records };
}

async function openTwo(options: PostgresOptions, sealer?: Sealer): Promise<OpenRecords> {
  const [one, two] = await Promise.all([openNode(options, sealer), openNode(options, sealer)]);
  return {
    store: one.records,
    other: two.records,
    async makeOwner() {
      const owner = { kind: 'consumers', id: randomUUID() };
      await appendNext(two.log, [{ ...owner, before: null, after: '{}' }]);
      return owner;
    },
    async removeOwner(owner) {
      await appendNext(two.log, [{ ...owner, before: '{}', after: null }]);
    },
    async pass(ms) {
      await postgres.query(`update sluice.records set expires = expires - ${ms}`);
      await postgres.query(`update sluice.counters set expires = expires - ${ms}`);
    },
    async [Symbol.asyncDispose]() {
      for (const { log, records } of [one, two]) {
        records.close();
        await log.close();
      }
    },
  };
}

const straight = (): Promise<OpenRecords> => openTwo(logOptions(postgres));

recordsContract('Postgres', straight);
recordsProperty('Postgres', straight, RUNS);
recordsContract('Postgres, sealed', () => openTwo(logOptions(postgres), sealerWith('a', 'b')));
recordsContract('PgBouncer, LISTEN past it', () =>
  openTwo(logOptions(postgres, { port: bouncer.port, listenPort: postgres.port })),
);

test('an owner that is deleted while records are put for it leaves none', async () => {
  await using opened = await straight();
  const c = randomUUID();
  for (let round = 0; round < 10; round++) {
    const owners: Owner[] = await Promise.all([opened.makeOwner(), opened.makeOwner()]);
    const key = (n: number): string => `${round}-${n % 4}`;
    const puts = Array.from({ length: 12 }, (_, n) =>
      (n % 2 === 0 ? opened.store : opened.other).put(c, {
        key: key(n),
        value: {},
        unique: { i: key(n) },
        owners: n % 3 === 0 ? owners.toReversed() : owners,
      }),
    );
    const [first, second] = owners;
    assert.ok(first !== undefined && second !== undefined);
    await Promise.all([...puts, opened.removeOwner(first), opened.removeOwner(second)]);
    for (const owner of owners)
      assert.deepEqual((await opened.store.list(c, { size: 100, owner })).records, []);
    assert.deepEqual((await opened.store.list(c, { size: 100 })).records, []);
  }
});

test('a database of before there were records gets them, beside what it has', async () => {
  const { primary, ...rest } = logOptions(postgres);
  const options = { ...rest, primary: { ...primary, schema: 'before_records' } };
  const handle = openHandle(options.primary, { onAnswer: () => undefined, onFailure: () => undefined });
  await bootstrap(handle, { lockTimeout: 30_000, migrations: MIGRATIONS.slice(0, 1) });
  await sql`insert into before_records.entities values ('consumers', 'old', '{}')`.execute(handle.db);
  await assert.rejects(PostgresLog.open(options), { name: 'SchemaProblem' });
  await migrate(handle, { lockTimeout: 30_000 });
  await handle.pool.end();
  const { log, records } = await openNode(options);
  const owners = [{ kind: 'consumers', id: 'old' }];
  assert.ok((await records.put('c', { key: 'k', value: {}, owners })).stored);
  await appendNext(log, [{ kind: 'consumers', id: 'old', before: '{}', after: null }]);
  assert.equal(await records.get('c', 'k'), null);
  records.close();
  await log.close();
});

test('where notifications do not arrive, nobody is told that they do', async () => {
  const options = logOptions(postgres, { port: bouncer.port, pace: { probe: 200 } });
  const log = await PostgresLog.open(options);
  const records = new PostgresRecords();
  const heard: boolean[] = [];
  records.watch({ changed: () => undefined, telling: (works) => void heard.push(works) });
  records.attach(log);
  log.watch({ onHead: () => undefined, onReachable: () => undefined });
  const c = randomUUID();
  await waitFor(async () => (await records.put(c, { key: 'k', value: {} })).stored);
  assert.deepEqual(heard, [false]);
  records.close();
  await log.close();
});
