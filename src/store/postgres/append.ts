/**
 * Appending a commit: one transaction that holds the lock of the head's row. Whoever holds it sees the true head, so
 * that no revision is given twice and none is left out.
 *
 * Nothing waits longer than a statement may take: a lock that a large commit of another node holds is asked for again
 * and again. Rows go in batches of bounded size, as one array for each column. Postgres ends the transaction by itself
 * if this node falls silent, so that a cut network does not keep the lock.
 */
import { sql, type ControlledTransaction } from 'kysely';
import type { NewCommit, StoredChange } from '../shared-log.ts';
import { UncertainCommit } from '../shared-log.ts';
import { DEADLOCK, isConnectionFailure, LOCK_NOT_AVAILABLE, sqlState, unavailable } from './failure.ts';
import { removeOwned } from './record-rows.ts';
import { channelOf, tableOf, type Db, type Handle, type Tables } from './tables.ts';

export type Transaction = ControlledTransaction<Tables>;

const BATCH_ROWS = 2000;
const BATCH_CHARACTERS = 1 << 20;

/** Milliseconds. */
export interface Timing {
  /** How long one statement may take. */
  readonly statement: number;
  /** How long all attempts to get the lock may take. */
  readonly patience: number;
}

export interface Appended {
  readonly appended: boolean;
  readonly head: number;
}

/** @throws StoreUnavailable, UncertainCommit */
export async function append(handle: Handle, commit: NewCommit, timing: Timing): Promise<Appended> {
  const limit = performance.now() + timing.patience;
  for (;;) {
    try {
      return await attempt(handle, commit, timing);
    } catch (error) {
      if (error instanceof UncertainCommit) throw error;
      const again = [LOCK_NOT_AVAILABLE, DEADLOCK].includes(sqlState(error) ?? '');
      if (!again || performance.now() > limit) throw unavailable(error);
    }
  }
}

async function attempt(handle: Handle, commit: NewCommit, timing: Timing): Promise<Appended> {
  // A race that is lost already needs no lock.
  const seen = await readHead(handle.db);
  if (seen !== commit.revision - 1) return { appended: false, head: seen };
  const transaction = await handle.db.startTransaction().execute();
  try {
    await guard(transaction, timing, 2 * timing.statement);
    const { revision } = await transaction
      .selectFrom('head')
      .select('revision')
      .forUpdate()
      .executeTakeFirstOrThrow();
    if (revision !== commit.revision - 1) {
      await giveUp(transaction);
      return { appended: false, head: revision };
    }
    await write(transaction, handle, commit);
  } catch (error) {
    await giveUp(transaction);
    throw error;
  }
  await finish(transaction);
  return { appended: true, head: commit.revision };
}

async function readHead(db: Db): Promise<number> {
  const { revision } = await db.selectFrom('head').select('revision').executeTakeFirstOrThrow();
  return revision;
}

/**
 * Limits that the server keeps, for this transaction alone.
 * @param silence milliseconds that this node may leave it alone before the server ends it.
 */
export async function guard(transaction: Db, { statement }: Timing, silence: number): Promise<void> {
  await sql`select set_config('statement_timeout', ${String(statement)}, true),
    set_config('lock_timeout', ${String(Math.ceil(statement / 2))}, true),
    set_config('idle_in_transaction_session_timeout', ${String(silence)}, true)`.execute(transaction);
}

/** Leaves nothing behind; on a connection that broke there is nothing to leave. */
export async function giveUp(transaction: Transaction): Promise<void> {
  try {
    await transaction.rollback().execute();
  } catch {
    // The server rolls back when its connection ends.
  }
}

/** @throws UncertainCommit */
export async function finish(transaction: Transaction): Promise<void> {
  try {
    await transaction.commit().execute();
  } catch (error) {
    await giveUp(transaction);
    // A plain error of the server to COMMIT means that it has rolled back. All else may have come after the fact.
    if (!isConnectionFailure(error)) throw error;
    throw new UncertainCommit('the connection broke during COMMIT', { cause: error });
  }
}

async function write(transaction: Transaction, handle: Handle, commit: NewCommit): Promise<void> {
  const { revision, uuid, time, author, changes } = commit;
  await transaction
    .insertInto('commits')
    .values({
      revision,
      uuid,
      time,
      author: storable(author.name),
      source: storable(author.source) ?? '',
      message: storable(author.message),
      changes: changes.length,
    })
    .execute();
  let first = 0;
  for (const batch of batches(changes)) {
    await insertChanges(transaction, handle, { revision, first, batch });
    await applyChanges(transaction, handle, batch);
    first += batch.length;
  }
  await transaction.updateTable('head').set({ revision }).execute();
  await sql`select pg_notify(${channelOf(handle.schema)}, ${String(revision)})`.execute(transaction);
}

/** Postgres has no character 0 in text. Entities are JSON, which escapes it; what a client says is not. */
function storable(text: string | null): string | null {
  return text === null ? null : text.replaceAll('\0', '\u{FFFD}');
}

function* batches(changes: Iterable<StoredChange>): Generator<readonly StoredChange[]> {
  let batch: StoredChange[] = [];
  let characters = 0;
  for (const change of changes) {
    batch.push(change);
    characters += (change.before?.length ?? 0) + (change.after?.length ?? 0);
    if (batch.length < BATCH_ROWS && characters < BATCH_CHARACTERS) continue;
    yield batch;
    batch = [];
    characters = 0;
  }
  if (batch.length > 0) yield batch;
}

async function insertChanges(
  transaction: Transaction,
  handle: Handle,
  { revision, first, batch }: { revision: number; first: number; batch: readonly StoredChange[] },
): Promise<void> {
  const seq = batch.map((_, index) => first + index);
  const kind = batch.map((change) => change.kind);
  const id = batch.map((change) => change.id);
  const before = batch.map((change) => change.before);
  const after = batch.map((change) => change.after);
  await sql`insert into ${tableOf(handle, 'changes')} (revision, seq, kind, id, before, after)
    select ${revision}::bigint, * from unnest(
      ${seq}::integer[], ${kind}::text[], ${id}::text[], ${before}::text[], ${after}::text[]
    )`.execute(transaction);
}

/** An entity that a batch changes more than once ends as its last change says: no statement may touch it twice. */
async function applyChanges(
  transaction: Transaction,
  handle: Handle,
  batch: readonly StoredChange[],
): Promise<void> {
  const last = new Map(batch.map((change) => [`${change.kind} ${change.id}`, change]));
  const put = [...last.values()].filter(({ after }) => after !== null);
  const gone = [...last.values()].filter(({ after }) => after === null);
  if (put.length > 0) {
    await sql`insert into ${tableOf(handle, 'entities')} (kind, id, text)
      select * from unnest(
        ${put.map(({ kind }) => kind)}::text[], ${put.map(({ id }) => id)}::text[],
        ${put.map(({ after }) => after)}::text[]
      )
      on conflict (kind, id) do update set text = excluded.text`.execute(transaction);
  }
  if (gone.length > 0) {
    await sql`delete from ${tableOf(handle, 'entities')} as entity
      using unnest(${gone.map(({ kind }) => kind)}::text[], ${gone.map(({ id }) => id)}::text[]) as gone (kind, id)
      where entity.kind = gone.kind and entity.id = gone.id`.execute(transaction);
    await removeOwned(transaction, handle, gone);
  }
}
