/** `sluice migrations …` against a real Postgres. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { migrate } from '../../src/store/postgres/migrations/migrate.ts';
import { MIGRATIONS } from '../../src/store/postgres/migrations/list.ts';
import { PostgresLog } from '../../src/store/postgres/postgres-log.ts';
import { openHandle } from '../../src/store/postgres/tables.ts';
import { sluice, startGateway, type CliResult } from '../support/gateway.ts';
import { logOptions, startPostgres, type Postgres } from '../support/postgres.ts';

const SILENT = { onAnswer: () => undefined, onFailure: () => undefined };

let postgres: Postgres;

before(async () => {
  postgres = await startPostgres();
});

after(() => postgres[Symbol.asyncDispose]());

/** With a schema of its own, so that each test has a database as it wants it. */
async function migrations(schema: string, ...args: string[]): Promise<CliResult> {
  return sluice(['migrations', ...args], {
    SLUICE_DATABASE: 'postgres',
    KONG_PG_PORT: String(postgres.port),
    KONG_PG_PASSWORD: 'secret',
    SLUICE_PG_SCHEMA: schema,
  });
}

function handle(schema: string): ReturnType<typeof openHandle> {
  return openHandle({ ...logOptions(postgres).primary, schema }, SILENT);
}

test('bootstrap, twice; list and status before and after', async () => {
  const none = await migrations('one', 'list');
  assert.deepEqual([none.code, none.stderr], [3, '']);
  assert.match(none.stdout, /needs bootstrapping; run 'sluice migrations bootstrap'/);
  const before = await migrations('one', 'status');
  assert.equal(before.code, 3);
  assert.deepEqual(JSON.parse(before.stdout), {
    schema: 'one',
    version: null,
    needed: MIGRATIONS.length,
    state: 'needs bootstrap',
  });
  const early = await migrations('one', 'up');
  assert.equal(early.code, 1);
  assert.match(early.stderr, /run 'sluice migrations bootstrap'/);

  const first = await migrations('one', 'bootstrap');
  assert.deepEqual([first.code, first.stderr], [0, '']);
  assert.match(first.stdout, /^applied 1 log\n[^]*database is up to date\n$/);
  const second = await migrations('one', 'bootstrap');
  assert.deepEqual([second.code, second.stdout], [0, 'database already bootstrapped\n']);
  const up = await migrations('one', 'up');
  assert.deepEqual([up.code, up.stdout], [0, 'database is already up to date\n']);
  const list = await migrations('one', 'list');
  assert.equal(list.code, 0);
  assert.match(list.stdout, /^1 log: \d{4}-\d\d-\d\dT/);
  assert.equal((await migrations('one', 'status')).code, 0);
});

test('two nodes at once', async () => {
  const results = await Promise.all([1, 2, 3].map(() => migrations('two', 'bootstrap')));
  for (const { code, stderr } of results) assert.deepEqual([code, stderr], [0, '']);
  const applied = results.map(
    ({ stdout }) => stdout.split('\n').filter((line) => line.startsWith('applied')).length,
  );
  assert.equal(
    applied.reduce((sum, each) => sum + each, 0),
    MIGRATIONS.length,
  );
});

test("a schema that is somebody else's stays as it is", async () => {
  await postgres.query('create table public.schema_meta (key text)');
  const { code, stderr } = await migrations('public', 'bootstrap');
  assert.equal(code, 1);
  assert.match(stderr, /'public' has tables that are not Sluice's \('schema_meta'\): set pg_schema/);
  const rows = await postgres.query<{ tablename: string }>(
    `select tablename from pg_tables where schemaname = 'public'`,
  );
  assert.deepEqual(rows, [{ tablename: 'schema_meta' }]);
  await postgres.query('drop table public.schema_meta');
});

test('a user who may make no schemas needs one that is there', async () => {
  await postgres.admin('create role poor login password $$poor$$');
  const env = { SLUICE_DATABASE: 'postgres', SLUICE_PG_PORT: String(postgres.port), SLUICE_PG_USER: 'poor' };
  const bootstrap = (): Promise<CliResult> =>
    sluice(['migrations', 'bootstrap'], { ...env, SLUICE_PG_PASSWORD: 'poor', SLUICE_PG_SCHEMA: 'given' });
  const refused = await bootstrap();
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /permission denied for database kong/);
  await postgres.admin('create schema given authorization poor', 'kong');
  assert.equal((await bootstrap()).code, 0);
});

test('without Postgres, and without its server', async () => {
  const off = await sluice(['migrations', 'up'], { SLUICE_DATABASE: 'sqlite' });
  assert.equal(off.code, 1);
  assert.match(off.stderr, /migrations are for database = postgres, and database is sqlite/);
  const env = {
    SLUICE_DATABASE: 'postgres',
    SLUICE_PG_PORT: String(postgres.port),
    SLUICE_PG_PASSWORD: 'wrong',
  };
  const wrong = await sluice(['migrations', 'status'], env);
  assert.equal(wrong.code, 1);
  assert.match(
    wrong.stderr,
    /^sluice: database kong at 127\.0\.0\.1, port \d+: password authentication failed/,
  );
  assert.doesNotMatch(wrong.stderr, /wrong/);
});

/** Stands for the next release. */
const LATER = [
  ...MIGRATIONS,
  {
    name: 'later',
    async up(db: ReturnType<typeof openHandle>['db'], schema: string): Promise<void> {
      await db.schema.withSchema(schema).alterTable('commits').addColumn('trace', 'text').execute();
    },
  },
];

test('an older and a newer database, and the way from one to the other', async () => {
  assert.equal((await migrations('three', 'bootstrap')).code, 0);
  const one = handle('three');
  const two = handle('three');
  try {
    const options = { lockTimeout: 10_000, migrations: LATER };
    const counts = await Promise.all([migrate(one, options), migrate(two, options)]);
    assert.equal(counts[0] + counts[1], 1);
    assert.equal(await migrate(one, options), 0);
  } finally {
    await one.pool.end();
    await two.pool.end();
  }
  const newer = await migrations('three', 'up');
  assert.equal(newer.code, 1);
  assert.match(
    newer.stderr,
    /'three' has version \d+, newer than this program knows \(\d+\): run a newer Sluice/,
  );
  const status = await migrations('three', 'status');
  assert.equal(status.code, 1);
  assert.match(status.stdout, /"state": "newer than this program"/);

  const list = await migrations('three', 'list');
  assert.equal(list.code, 1);
  assert.match(list.stdout, new RegExp(`^${LATER.length} later: \\d{4}-`, 'm'));
  assert.match(list.stderr, /'three' has version \d+, newer than this program knows \(\d+\)/);

  const options = logOptions(postgres);
  const open = (schema: string): Promise<PostgresLog> =>
    PostgresLog.open({ ...options, primary: { ...options.primary, schema } });
  await assert.rejects(open('three'), { name: 'SchemaProblem', message: /newer than this program/ });
  await assert.rejects(open('none'), { name: 'SchemaProblem', message: /run 'sluice migrations bootstrap'/ });
  await postgres.query('create schema four');
  await postgres.query('create table four.migrations (version int, name text, applied bigint)');
  await assert.rejects(open('four'), { name: 'SchemaProblem', message: /run 'sluice migrations up'/ });
  const old = await migrations('four', 'list');
  assert.equal(old.code, 5);
});

test('a migration that fails leaves nothing', async () => {
  assert.equal((await migrations('five', 'bootstrap')).code, 0);
  const five = handle('five');
  const broken = {
    name: 'broken',
    async up(db: typeof five.db, schema: string): Promise<void> {
      await db.schema.withSchema(schema).alterTable('commits').addColumn('half', 'text').execute();
      throw new Error('no disk');
    },
  };
  try {
    const options = { lockTimeout: 1000, migrations: [...MIGRATIONS, broken] };
    await assert.rejects(migrate(five, options), /no disk/);
  } finally {
    await five.pool.end();
  }
  const rows = await postgres.query(`select 1 from information_schema.columns where column_name = 'half'`);
  assert.deepEqual(rows, []);
  assert.equal((await migrations('five', 'status')).code, 0);
});

test('a gateway does not start on a database that is not prepared, unless it may prepare it', async () => {
  const settings = { database: 'postgres', pg_port: postgres.port, pg_password: 'secret', pg_schema: 'six' };
  await assert.rejects(
    startGateway({ settings }),
    /no schema 'six' of Sluice: run 'sluice migrations bootstrap'/,
  );
  await using gateway = await startGateway({ settings, args: ['--run-migrations'] });
  assert.equal((await fetch(gateway.adminUrl)).status, 200);
  assert.equal((await migrations('six', 'status')).code, 0);
});

test('a gateway that cannot use its database says which it asked and what that said', async () => {
  const where = `database kong at 127.0.0.1, port ${postgres.port}: `;
  const settings = { database: 'postgres', pg_port: postgres.port, pg_password: 'other' };
  await assert.rejects(startGateway({ settings }), (error) =>
    String(error).includes(`sluice: ${where}password authentication failed for user "kong"`),
  );
});
