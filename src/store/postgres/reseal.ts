/**
 * Sealing anew what the shared database has, while nodes use it: page by page, each page in a transaction that holds the
 * head's lock as a commit does. Only a text that is still what was read is replaced, so that no commit is lost.
 */
import { sql } from 'kysely';
import type { EntityCodec } from '../catalog/codec.ts';
import {
  countInto,
  NOTHING_RESEALED,
  type Resealed,
  resealText,
  type SealCounts,
  plainKinds,
} from '../catalog/reseal.ts';
import { giveUp, guard, type Timing, type Transaction } from './append.ts';
import { DEADLOCK, LOCK_NOT_AVAILABLE, sqlState } from './failure.ts';
import { tableOf, type Handle } from './tables.ts';

const PAGE = 200;

interface EntityRow {
  readonly kind: string;
  readonly id: string;
  readonly text: string;
}

interface ChangeRow {
  readonly revision: number;
  readonly seq: number;
  readonly kind: string;
  readonly before: string | null;
  readonly after: string | null;
}

async function* entityPages(handle: Handle): AsyncGenerator<readonly EntityRow[]> {
  let last = { kind: '', id: '' };
  for (;;) {
    const { rows } = await sql<EntityRow>`select kind, id, text from ${tableOf(handle, 'entities')}
      where (kind, id) > (${last.kind}, ${last.id}) and kind <> all(${plainKinds()}::text[])
      order by kind, id limit ${PAGE}`.execute(handle.db);
    yield rows;
    const end = rows.at(-1);
    if (end === undefined || rows.length < PAGE) return;
    last = end;
  }
}

async function* changePages(handle: Handle): AsyncGenerator<readonly ChangeRow[]> {
  let last = { revision: 0, seq: -1 };
  for (;;) {
    const { rows } = await sql<ChangeRow>`select revision, seq, kind, before, after
      from ${tableOf(handle, 'changes')}
      where (revision, seq) > (${last.revision}::bigint, ${last.seq}::integer)
        and kind <> all(${plainKinds()}::text[])
      order by revision, seq limit ${PAGE}`.execute(handle.db);
    yield rows;
    const end = rows.at(-1);
    if (end === undefined || rows.length < PAGE) return;
    last = end;
  }
}

export async function resealDatabase(handle: Handle, codec: EntityCodec, timing: Timing): Promise<Resealed> {
  const done: Resealed = { ...NOTHING_RESEALED };
  for await (const rows of entityPages(handle)) {
    const changed = rows.flatMap((row) => {
      const next = resealText(codec, row.kind, row.text);
      if (next === null) done.unreadable++;
      return next === null || next === row.text ? [] : [{ ...row, next }];
    });
    if (changed.length > 0) done.entities += await replaceEntities(handle, timing, changed);
  }
  for await (const rows of changePages(handle)) {
    const changed = rows.flatMap((row) => {
      const next = [row.before, row.after].map((text) => {
        const sealed = text === null ? null : resealText(codec, row.kind, text);
        if (text !== null && sealed === null) done.unreadable++;
        return sealed ?? text;
      });
      const texts = Number(next[0] !== row.before) + Number(next[1] !== row.after);
      return texts === 0 ? [] : [{ ...row, before: next[0] ?? null, after: next[1] ?? null, texts }];
    });
    if (changed.length === 0) continue;
    await replaceChanges(handle, timing, changed);
    done.log += changed.reduce((sum, { texts }) => sum + texts, 0);
  }
  return done;
}

export async function countDatabaseSeals(handle: Handle, codec: EntityCodec): Promise<SealCounts> {
  const counts = { entities: {}, log: {}, records: {} };
  for await (const rows of entityPages(handle)) {
    for (const { kind, text } of rows) countInto(counts.entities, codec.keysOf(kind, text));
  }
  for await (const rows of changePages(handle)) {
    for (const { kind, before, after } of rows) {
      for (const text of [before, after]) if (text !== null) countInto(counts.log, codec.keysOf(kind, text));
    }
  }
  return counts;
}

/** As a commit does it: nobody waits for two locks in different orders. */
async function holdingHead<T>(
  handle: Handle,
  timing: Timing,
  work: (transaction: Transaction) => Promise<T>,
): Promise<T> {
  const limit = performance.now() + timing.patience;
  for (;;) {
    const transaction = await handle.db.startTransaction().execute();
    try {
      await guard(transaction, timing, 2 * timing.statement);
      await transaction.selectFrom('head').select('revision').forUpdate().executeTakeFirstOrThrow();
      const result = await work(transaction);
      await transaction.commit().execute();
      return result;
    } catch (error) {
      await giveUp(transaction);
      const again = [LOCK_NOT_AVAILABLE, DEADLOCK].includes(sqlState(error) ?? '');
      if (!again || performance.now() > limit) throw error;
    }
  }
}

async function replaceEntities(
  handle: Handle,
  timing: Timing,
  rows: ReadonlyArray<EntityRow & { readonly next: string }>,
): Promise<number> {
  return await holdingHead(handle, timing, async (transaction) => {
    const { numAffectedRows = 0n } = await sql`update ${tableOf(handle, 'entities')} as entity
      set text = anew.next
      from unnest(
        ${rows.map(({ kind }) => kind)}::text[], ${rows.map(({ id }) => id)}::text[],
        ${rows.map(({ text }) => text)}::text[], ${rows.map(({ next }) => next)}::text[]
      ) as anew (kind, id, text, next)
      where entity.kind = anew.kind and entity.id = anew.id and entity.text = anew.text`.execute(transaction);
    return Number(numAffectedRows);
  });
}

/** Changes stay as they are, but for compaction, which takes them away. */
async function replaceChanges(handle: Handle, timing: Timing, rows: readonly ChangeRow[]): Promise<void> {
  await holdingHead(handle, timing, (transaction) =>
    sql`update ${tableOf(handle, 'changes')} as change
      set before = anew.before, after = anew.after
      from unnest(
        ${rows.map(({ revision }) => revision)}::bigint[], ${rows.map(({ seq }) => seq)}::integer[],
        ${rows.map(({ before }) => before)}::text[], ${rows.map(({ after }) => after)}::text[]
      ) as anew (revision, seq, before, after)
      where change.revision = anew.revision and change.seq = anew.seq`.execute(transaction),
  );
}
