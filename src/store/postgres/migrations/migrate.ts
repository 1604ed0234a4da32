/**
 * Brings the schema to a version, and tells which one it has.
 *
 * Each migration is one transaction that first takes an advisory lock and then looks which version is there, so that
 * two nodes at once, or one twice, do nothing twice. The lock belongs to the transaction: it works through a pooler.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { sql, type ControlledTransaction } from 'kysely';
import { giveUp } from '../append.ts';
import { LOCK_NOT_AVAILABLE, sqlState } from '../failure.ts';
import type { Db, Handle, Tables } from '../tables.ts';
import { MIGRATIONS } from './list.ts';
import type { Migration } from './migration.ts';

/** "Slui" and "ce": nobody else's advisory lock. */
const LOCK: readonly [number, number] = [0x536c7569, 0x6365];
const LOCK_RETRY_MS = 100;
const OLDEST_SERVER = 150_000;

export interface Applied {
  readonly version: number;
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly applied: number;
}

/** The state of the schema makes what was asked for impossible. The message says what to do. */
export class SchemaProblem extends Error {
  override readonly name = 'SchemaProblem';
}

export interface MigrateOptions {
  /** Milliseconds to wait for another node that migrates. */
  readonly lockTimeout: number;
  /** All migrations: a test has more than we do. */
  readonly migrations?: readonly Migration[];
  onApplied?(version: number, migration: Migration): void;
}

/** What has been applied, oldest first; null when the database was never bootstrapped. */
export async function appliedMigrations(db: Db, schema: string): Promise<readonly Applied[] | null> {
  const { rows } = await sql<{
    there: boolean;
  }>`select to_regclass(${`${schema}.migrations`}) is not null as there`.execute(db);
  if (rows[0]?.there !== true) return null;
  return db.selectFrom('migrations').select(['version', 'name', 'applied']).orderBy('version').execute();
}

/** @throws SchemaProblem unless the schema is exactly the one that this program knows. */
export async function checkSchema(handle: Handle, known: number = MIGRATIONS.length): Promise<void> {
  const applied = await appliedMigrations(handle.db, handle.schema);
  if (applied === null) {
    throw new SchemaProblem(
      `the database has no schema '${handle.schema}' of Sluice: run 'sluice migrations bootstrap'`,
    );
  }
  const version = applied.at(-1)?.version ?? 0;
  if (version < known) {
    throw new SchemaProblem(
      `the schema '${handle.schema}' has version ${version}, this program needs ${known}: run 'sluice migrations up'`,
    );
  }
  if (version > known) throw tooNew(handle.schema, version, known);
}

/** Makes the schema, if need be, and applies what is missing. Answers how many migrations that were. */
export async function bootstrap(handle: Handle, options: MigrateOptions): Promise<number> {
  const { rows } = await sql<{
    version: number;
  }>`select current_setting('server_version_num')::int as version`.execute(handle.db);
  if ((rows[0]?.version ?? 0) < OLDEST_SERVER) throw new SchemaProblem('Sluice needs Postgres 15 or newer');
  await locked(handle, options, async (transaction) => {
    if ((await appliedMigrations(transaction, handle.schema)) !== null) return;
    await refuseForeign(transaction, handle.schema);
    // Who may not make schemas may have been given one.
    if (!(await isSchema(transaction, handle.schema))) {
      await sql`create schema ${sql.id(handle.schema)}`.execute(transaction);
    }
    await sql`create table ${sql.id(handle.schema, 'migrations')} (
      version integer primary key,
      name text not null,
      applied bigint not null
    )`.execute(transaction);
  });
  return migrate(handle, options);
}

/**
 * Applies what is missing, and answers how many migrations that were.
 * @throws SchemaProblem when the database was never bootstrapped, or is newer than this program
 */
export async function migrate(handle: Handle, options: MigrateOptions): Promise<number> {
  const migrations = options.migrations ?? MIGRATIONS;
  for (let count = 0; ; count++) {
    const done = await locked(handle, options, (transaction) => step(transaction, handle.schema, migrations));
    if (done === null) return count;
    options.onApplied?.(done.version, done.migration);
  }
}

async function step(
  transaction: Db,
  schema: string,
  migrations: readonly Migration[],
): Promise<{ version: number; migration: Migration } | null> {
  const applied = await appliedMigrations(transaction, schema);
  if (applied === null) {
    throw new SchemaProblem(`there is no schema '${schema}' of Sluice: run 'sluice migrations bootstrap'`);
  }
  const current = applied.at(-1)?.version ?? 0;
  if (current > migrations.length) throw tooNew(schema, current, migrations.length);
  const migration = migrations[current];
  if (migration === undefined) return null;
  await migration.up(transaction, schema);
  const version = current + 1;
  await transaction
    .insertInto('migrations')
    .values({ version, name: migration.name, applied: Date.now() })
    .execute();
  return { version, migration };
}

/** To be thrown. */
export function tooNew(schema: string, version: number, known: number): SchemaProblem {
  return new SchemaProblem(
    `the schema '${schema}' has version ${version}, newer than this program knows (${known}): run a newer Sluice`,
  );
}

async function isSchema(db: Db, name: string): Promise<boolean> {
  const { rows } = await sql`select from pg_catalog.pg_namespace where nspname = ${name}`.execute(db);
  return rows.length > 0;
}

/** Kong's `pg_schema` names the schema of Kong's tables: taken over as it is, it must not become ours. */
async function refuseForeign(db: Db, schema: string): Promise<void> {
  const { rows } = await sql<{ name: string }>`select tablename as name from pg_catalog.pg_tables
    where schemaname = ${schema} order by tablename limit 1`.execute(db);
  const name = rows[0]?.name;
  if (name === undefined) return;
  throw new SchemaProblem(
    `the schema '${schema}' has tables that are not Sluice's ('${name}'): set pg_schema to one of its own, such as sluice`,
  );
}

/** Runs `work` in a transaction that alone migrates. */
async function locked<T>(
  { db }: Handle,
  { lockTimeout }: MigrateOptions,
  work: (transaction: ControlledTransaction<Tables>) => Promise<T>,
): Promise<T> {
  const limit = performance.now() + lockTimeout;
  for (;;) {
    const transaction = await db.startTransaction().execute();
    try {
      if (await takeLock(transaction)) {
        const result = await work(transaction);
        await transaction.commit().execute();
        return result;
      }
      await giveUp(transaction);
    } catch (error) {
      await giveUp(transaction);
      // Nodes that append hold locks of the tables for a moment.
      if (sqlState(error) !== LOCK_NOT_AVAILABLE) throw error;
    }
    if (performance.now() > limit) {
      throw new SchemaProblem(`another node is migrating, and was not done within ${lockTimeout} ms`);
    }
    await delay(LOCK_RETRY_MS);
  }
}

async function takeLock(transaction: Db): Promise<boolean> {
  const { rows } = await sql<{
    taken: boolean;
  }>`select pg_try_advisory_xact_lock(${LOCK[0]}, ${LOCK[1]}) as taken,
    set_config('lock_timeout', '2000', true)`.execute(transaction);
  return rows[0]?.taken === true;
}
