/**
 * Reads of the log and of the state. Each sees one moment of the database (`repeatable read`), so that a compaction in
 * between leaves no hole, and takes its rows through a cursor, a batch at a time.
 */
import { sql, type ControlledTransaction, type RawBuilder } from 'kysely';
import type { SharedState, StoredChange, StoredCommit, StoredEntity } from '../shared-log.ts';
import { giveUp, guard, type Timing } from './append.ts';
import { unavailable } from './failure.ts';
import { tableOf, type Db, type Handle, type Tables } from './tables.ts';

type Transaction = ControlledTransaction<Tables>;

/** Milliseconds that whoever reads a state may take for a batch. */
const SILENCE = 120_000;
const FETCH_ENTITIES = 500;
const FETCH_CHANGES = 2000;
/** Changes after which an answer of `readLog` ends, so that memory has a bound that only a single commit exceeds. */
const ENOUGH_CHANGES = 10_000;

export interface Moment {
  readonly revision: number;
  readonly clusterId: string;
}

export async function readMoment(db: Db): Promise<Moment> {
  const row = await db.selectFrom('head').select(['revision', 'cluster_id']).executeTakeFirstOrThrow();
  return { revision: row.revision, clusterId: row.cluster_id };
}

async function beginReading(db: Db, timing: Timing): Promise<Transaction> {
  const transaction = await db
    .startTransaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute();
  try {
    await guard(transaction, timing, SILENCE);
    return transaction;
  } catch (error) {
    await giveUp(transaction);
    throw error;
  }
}

/** Runs `work` on one moment of the database. */
async function reading<T>(
  db: Db,
  timing: Timing,
  work: (transaction: Transaction) => Promise<T>,
): Promise<T> {
  const transaction = await beginReading(db, timing);
  try {
    return await work(transaction);
  } finally {
    await giveUp(transaction);
  }
}

async function* fetch<Row>(transaction: Db, query: RawBuilder<Row>, size: number): AsyncGenerator<Row[]> {
  await sql`declare sluice_rows no scroll cursor for ${query}`.execute(transaction);
  for (;;) {
    const { rows } = await sql<Row>`fetch ${sql.lit(size)} from sluice_rows`.execute(transaction);
    if (rows.length > 0) yield rows;
    if (rows.length < size) break;
  }
  await sql`close sluice_rows`.execute(transaction);
}

export interface LogPart {
  /** The head at that moment. */
  readonly head: number;
  /** Null: the log does not reach back to them, or has never been so far. */
  readonly commits: readonly StoredCommit[] | null;
}

/** The commits after a revision: at most `limit`, and fewer when they are large. */
export function readLog(handle: Handle, after: number, limit: number, timing: Timing): Promise<LogPart> {
  return reading(handle.db, timing, async (transaction) => {
    const { revision: head } = await readMoment(transaction);
    if (after === head) return { head, commits: [] };
    const rows = await transaction
      .selectFrom('commits')
      .selectAll()
      .where('revision', '>', after)
      .orderBy('revision')
      .limit(limit)
      .execute();
    if (rows[0]?.revision !== after + 1) return { head, commits: null };
    let changes = 0;
    const wanted = rows.filter((row, index) => index === 0 || (changes += row.changes) <= ENOUGH_CHANGES);
    return { head, commits: await withChanges(transaction, handle, wanted) };
  });
}

async function withChanges(
  transaction: Transaction,
  handle: Handle,
  rows: readonly Tables['commits'][],
): Promise<readonly StoredCommit[]> {
  const changes = new Map<number, StoredChange[]>(rows.map(({ revision }) => [revision, []]));
  const query = sql<
    Tables['changes']
  >`select revision, kind, id, before, after from ${tableOf(handle, 'changes')}
    where revision between ${sql.lit(rows[0]?.revision ?? 0)} and ${sql.lit(rows.at(-1)?.revision ?? 0)}
    order by revision, seq`;
  for await (const batch of fetch(transaction, query, FETCH_CHANGES)) {
    for (const { revision, ...change } of batch) changes.get(revision)?.push(change);
  }
  return rows.map((row) => ({
    uuid: row.uuid,
    revision: row.revision,
    time: row.time,
    author: { name: row.author, source: row.source, message: row.message },
    changes: changes.get(row.revision) ?? [],
  }));
}

export interface State extends SharedState {
  readonly clusterId: string;
  /** For one whose entities nobody will read. */
  cancel(): Promise<void>;
}

/** Holds a connection until its entities are read to their end, given up, or left alone for too long. */
export async function readState(handle: Handle, timing: Timing): Promise<State> {
  const transaction = await beginReading(handle.db, timing);
  try {
    const { revision, clusterId } = await readMoment(transaction);
    return {
      revision,
      clusterId,
      entities: entitiesOf(transaction, handle),
      cancel: () => giveUp(transaction),
    };
  } catch (error) {
    await giveUp(transaction);
    throw error;
  }
}

async function* entitiesOf(
  transaction: Transaction,
  handle: Handle,
): AsyncGenerator<readonly StoredEntity[]> {
  try {
    const query = sql<StoredEntity>`select kind, id, text from ${tableOf(handle, 'entities')}`;
    yield* fetch(transaction, query, FETCH_ENTITIES);
  } catch (error) {
    throw unavailable(error);
  } finally {
    await giveUp(transaction);
  }
}

/** Waits for a commit that is still under way: it holds the lock of the head. */
export async function findCommit(db: Db, uuid: string, timing: Timing): Promise<number | null> {
  const transaction = await db.startTransaction().execute();
  try {
    await guard(transaction, timing, SILENCE);
    await transaction.selectFrom('head').select('revision').forShare().executeTakeFirstOrThrow();
    const row = await transaction
      .selectFrom('commits')
      .select('revision')
      .where('uuid', '=', uuid)
      .executeTakeFirst();
    return row?.revision ?? null;
  } finally {
    await giveUp(transaction);
  }
}
