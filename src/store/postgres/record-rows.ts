/**
 * Records as rows of Postgres. Times are the database's, so that the clocks of nodes do not matter.
 *
 * Whoever removes or changes a record tells its marks (`records/marks.ts`) with the same transaction: `records ` and the
 * marks, or `*` for anything.
 */
import { sql, type RawBuilder } from 'kysely';
import { MAX_MARKS } from '../records/marks.ts';
import type { RecordCodec } from '../records/record-codec.ts';
import type { ListOptions, StoredRecord } from '../records/records.ts';
import { channelOf, tableOf, type Db, type Handle } from './tables.ts';

/** How a notification about records begins. */
export const RECORDS = 'records ';
export const ANYTHING = '*';

/** Where records are, and how they are read. */
export interface RecordPlace {
  readonly handle: Handle;
  readonly codec: RecordCodec;
}

/** Milliseconds since 1970. */
export const NOW = sql<number>`(extract(epoch from statement_timestamp()) * 1000)::bigint`;
export const ALIVE = sql<boolean>`(expires is null or expires > ${NOW})`;

interface Row {
  readonly key: string;
  readonly content: string;
  readonly version: number;
  readonly left: number | null;
}

function select(handle: Handle): RawBuilder<unknown> {
  return sql`select record.key, content, version, expires - ${NOW} as left from ${tableOf(handle, 'records')} as record`;
}

export async function getRecord(
  { handle, codec }: RecordPlace,
  collection: string,
  key: string,
): Promise<StoredRecord | null> {
  const { rows } = await sql<Row>`${select(handle)}
    where collection = ${collection} and key = ${key} and ${ALIVE}`.execute(handle.db);
  return rows[0] === undefined ? null : recordOf(codec, collection, rows[0]);
}

export async function findRecord(
  { handle, codec }: RecordPlace,
  { collection, index, value }: { collection: string; index: string; value: string },
): Promise<StoredRecord | null> {
  const texts = codec.uniqueTexts(collection, index, value);
  const { rows } =
    await sql<Row>`${select(handle)} join ${tableOf(handle, 'record_uniques')} using (collection, key)
    where collection = ${collection} and field = ${index} and value = any(${texts}::text[]) and ${ALIVE}
    limit 1`.execute(handle.db);
  return rows[0] === undefined ? null : recordOf(codec, collection, rows[0]);
}

export async function listRecords(
  { handle, codec }: RecordPlace,
  collection: string,
  { owner, after, size }: ListOptions,
): Promise<StoredRecord[]> {
  const owned =
    owner == null
      ? sql``
      : sql`join ${tableOf(handle, 'record_owners')} as owner
          on owner.collection = record.collection and owner.key = record.key
          and owner.kind = ${owner.kind} and owner.id = ${owner.id}`;
  const { rows } = await sql<Row>`${select(handle)} ${owned}
    where record.collection = ${collection} and record.key > ${after ?? ''} and ${ALIVE}
    order by record.key limit ${size}`.execute(handle.db);
  return rows.map((row) => recordOf(codec, collection, row));
}

/** Answers the marks of what was removed; null: there was nothing. */
export async function deleteRecord(
  handle: Handle,
  { collection, key, ifVersion }: { collection: string; key: string; ifVersion: number | null },
): Promise<string | null> {
  const { rows } = await sql<{ marks: string }>`with gone as (
      delete from ${tableOf(handle, 'records')}
      where collection = ${collection} and key = ${key} and ${ALIVE}
        and (${ifVersion}::bigint is null or version = ${ifVersion})
      returning marks
    )
    select marks, pg_notify(${channelOf(handle.schema)}, ${RECORDS} || marks) from gone`.execute(handle.db);
  return rows[0]?.marks ?? null;
}

export async function notifyMarks(db: Db, { schema }: Handle, marks: readonly string[]): Promise<void> {
  await sql`select pg_notify(${channelOf(schema)}, ${RECORDS + marks.join(' ')})`.execute(db);
}

/** Removes the records of entities, within the transaction that removes the entities. */
export async function removeOwned(
  transaction: Db,
  handle: Handle,
  owners: ReadonlyArray<{ readonly kind: string; readonly id: string }>,
): Promise<void> {
  await sql`with gone as (
      delete from ${tableOf(handle, 'records')} as record
      using ${tableOf(handle, 'record_owners')} as owner,
        unnest(${owners.map(({ kind }) => kind)}::text[], ${owners.map(({ id }) => id)}::text[]) as entity (kind, id)
      where owner.kind = entity.kind and owner.id = entity.id
        and record.collection = owner.collection and record.key = owner.key
      returning marks
    ), told as (
      select distinct case when count(*) over () > ${MAX_MARKS} then ${ANYTHING} else marks end as marks from gone
    )
    select count(pg_notify(${channelOf(handle.schema)}, ${RECORDS} || marks)) from told`.execute(transaction);
}

/** Removes some of what is over, of records and counters. Answers how many that were. */
export async function sweepRecords(handle: Handle, limit: number): Promise<number> {
  let removed = 0;
  for (const name of ['records', 'counters'] as const) {
    const table = tableOf(handle, name);
    const { numAffectedRows } = await sql`delete from ${table} where (collection, key) in (
      select collection, key from ${table} where expires <= ${NOW} limit ${limit} for update skip locked
    )`.execute(handle.db);
    removed += Number(numAffectedRows ?? 0);
  }
  return removed;
}

function recordOf(
  codec: RecordCodec,
  collection: string,
  { key, content, version, left }: Row,
): StoredRecord {
  return { key, ...codec.decode(collection, key, content), version, ttlMs: left };
}
