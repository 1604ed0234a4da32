/**
 * A put of a record, as one transaction: its owners exist and stay until it ends, the version is the one that was
 * expected, and no other record has its unique values.
 *
 * A put never waits for an entity while it holds anything: a commit that deletes the entity waits for records. It tries
 * again instead, as it does when two puts wait for each other.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { sql } from 'kysely';
import { marksOf } from '../records/marks.ts';
import type { PutResult, RecordInput } from '../records/records.ts';
import { finish, giveUp, guard, type Timing, type Transaction } from './append.ts';
import { DEADLOCK, LOCK_NOT_AVAILABLE, sqlState } from './failure.ts';
import { ALIVE, notifyMarks, NOW, type RecordPlace } from './record-rows.ts';
import { takeUniques, type EncodedPut, type Put } from './record-uniques.ts';
import { tableOf, type Handle } from './tables.ts';

/** The result, and the marks of what has changed. */
export interface PutDone {
  readonly result: PutResult;
  readonly marks: readonly string[];
}

/** Milliseconds before another try, at least. */
const PAUSE_MS = 5;

/** Somebody was faster, in a way that changes what there is to do. */
class Overtaken extends Error {}

export async function putRecord(
  { handle, codec }: RecordPlace,
  given: Put,
  timing: Timing,
): Promise<PutDone> {
  const { collection, record } = given;
  const encoded = codec.encode(collection, record);
  const older = Object.entries(record.unique ?? {}).flatMap(([index, value]) =>
    codec
      .uniqueTexts(collection, index, value)
      .flatMap((text) => (text === encoded.unique[index] ? [] : [[index, text] as const])),
  );
  const put: EncodedPut = { ...given, encoded, older };
  const limit = performance.now() + timing.patience;
  for (;;) {
    try {
      return await attempt(handle, put, timing);
    } catch (error) {
      const state = sqlState(error);
      const again = error instanceof Overtaken || state === LOCK_NOT_AVAILABLE || state === DEADLOCK;
      if (!again || performance.now() > limit) throw error;
      await delay(PAUSE_MS * (1 + Math.random()));
    }
  }
}

async function attempt(handle: Handle, put: EncodedPut, timing: Timing): Promise<PutDone> {
  const transaction = await handle.db.startTransaction().execute();
  let done: PutDone;
  try {
    await guard(transaction, timing, 2 * timing.statement);
    done = await work(transaction, handle, put);
  } catch (error) {
    await giveUp(transaction);
    throw error;
  }
  if (done.result.stored) await finish(transaction);
  else await giveUp(transaction);
  return done;
}

async function work(transaction: Transaction, handle: Handle, put: EncodedPut): Promise<PutDone> {
  const { collection, record, options } = put;
  const owned = await holdOwners(transaction, handle, record);
  const { rows } = await sql<{ version: number; marks: string; alive: boolean }>`
    select version, marks, ${ALIVE} as alive from ${tableOf(handle, 'records')}
    where collection = ${collection} and key = ${record.key} for update`.execute(transaction);
  const before = rows[0];
  const version = before?.alive === true ? before.version : 0;
  if (options.ifVersion !== undefined && options.ifVersion !== version) return refused('version');
  if (!owned) return refused('owner');
  const marks = marksOf(collection, record);
  if (before === undefined) await insert(transaction, handle, put);
  else await clearLinks(transaction, handle, put);
  if (!(await takeUniques(transaction, handle, put))) return refused('unique');
  await addOwners(transaction, handle, put);
  const next = await write(transaction, handle, put);
  const told = [...new Set([...marks, ...(before?.marks.split(' ') ?? [])])];
  await notifyMarks(transaction, handle, told);
  return { result: { stored: true, version: next }, marks: told };
}

function refused(conflict: 'version' | 'owner' | 'unique'): PutDone {
  return { result: { stored: false, conflict }, marks: [] };
}

/** Locks them against deletion. Answers whether all are there. */
async function holdOwners(
  transaction: Transaction,
  handle: Handle,
  { owners = [] }: RecordInput,
): Promise<boolean> {
  if (owners.length === 0) return true;
  const { rows } = await sql`select 1 from ${tableOf(handle, 'entities')} as entity
    join (select distinct * from unnest(
      ${owners.map(({ kind }) => kind)}::text[], ${owners.map(({ id }) => id)}::text[]
    )) as owner (kind, id) on entity.kind = owner.kind and entity.id = owner.id
    for key share of entity nowait`.execute(transaction);
  return rows.length === new Set(owners.map(({ kind, id }) => `${kind} ${id}`)).size;
}

/** A row to be filled; nobody else sees it yet. */
async function insert(transaction: Transaction, handle: Handle, { collection, record }: Put): Promise<void> {
  const { numAffectedRows } = await sql`insert into ${tableOf(handle, 'records')}
    (collection, key, version, content, marks) values (${collection}, ${record.key}, 0, '', '')
    on conflict do nothing`.execute(transaction);
  if (numAffectedRows === 0n) throw new Overtaken();
}

async function clearLinks(
  transaction: Transaction,
  handle: Handle,
  { collection, record }: Put,
): Promise<void> {
  for (const name of ['record_uniques', 'record_owners'] as const) {
    await sql`delete from ${tableOf(handle, name)} where collection = ${collection} and key = ${record.key}`.execute(
      transaction,
    );
  }
}

async function addOwners(
  transaction: Transaction,
  handle: Handle,
  { collection, record }: Put,
): Promise<void> {
  const owners = record.owners ?? [];
  if (owners.length === 0) return;
  await sql`insert into ${tableOf(handle, 'record_owners')} (kind, id, collection, key)
    select kind, id, ${collection}, ${record.key} from unnest(
      ${owners.map(({ kind }) => kind)}::text[], ${owners.map(({ id }) => id)}::text[]
    ) as owner (kind, id) on conflict do nothing`.execute(transaction);
}

async function write(
  transaction: Transaction,
  handle: Handle,
  { collection, record, options, encoded }: EncodedPut,
): Promise<number> {
  const { rows } = await sql<{ version: number }>`update ${tableOf(handle, 'records')} set
      version = nextval(${`"${handle.schema}".record_versions`}), content = ${encoded.content},
      marks = ${marksOf(collection, record).join(' ')}, expires = ${NOW} + ${options.ttlMs ?? null}::bigint
    where collection = ${collection} and key = ${record.key} returning version`.execute(transaction);
  return rows[0]?.version ?? 0;
}
