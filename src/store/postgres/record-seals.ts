/**
 * Rotation of the keys that seal records in Postgres, while nodes use them: a page of keys at a time, and of those that
 * an older key has sealed a few in a transaction, in the order of their keys. Whoever locks them in another order, or
 * wants a unique value meanwhile, is waited for, or the transaction tries again.
 */
import { sql } from 'kysely';
import { countInto, NOTHING_RESEALED, type Resealed } from '../catalog/reseal.ts';
import { HEAD } from '../records/record-codec.ts';
import { finish, giveUp, guard, type Timing, type Transaction } from './append.ts';
import { DEADLOCK, LOCK_NOT_AVAILABLE, sqlState } from './failure.ts';
import type { RecordPlace } from './record-rows.ts';
import { tableOf } from './tables.ts';

const PAGE = 1000;
/** Rows that one transaction locks. */
const BATCH = 50;

interface Place {
  readonly collection: string;
  readonly key: string;
}

interface HeadRow extends Place {
  /** The beginning of its content. */
  readonly head: string;
}

async function* pages({ handle }: RecordPlace): AsyncGenerator<readonly HeadRow[]> {
  for (let last: Place = { collection: '', key: '' }; ;) {
    const { rows } = await sql<HeadRow>`select collection, key, left(content, ${HEAD}) as head
      from ${tableOf(handle, 'records')} where (collection, key) > (${last.collection}, ${last.key})
      order by collection, key limit ${PAGE}`.execute(handle.db);
    yield rows;
    const end = rows.at(-1);
    if (end === undefined || rows.length < PAGE) return;
    last = end;
  }
}

export async function countRecordSeals(place: RecordPlace): Promise<Readonly<Record<string, number>>> {
  const counts: Record<string, number> = {};
  for await (const rows of pages(place)) {
    countInto(
      counts,
      rows.map(({ head }) => place.codec.keyOf(head)),
    );
  }
  return counts;
}

export async function resealRecords(place: RecordPlace, timing: Timing): Promise<Resealed> {
  const done = { ...NOTHING_RESEALED };
  for await (const rows of pages(place)) {
    const old = rows.filter(({ head }) => !place.codec.isCurrent(head));
    for (let start = 0; start < old.length; start += BATCH) {
      const { records, unreadable } = await patiently(place, timing, old.slice(start, start + BATCH));
      done.records += records;
      done.unreadable += unreadable;
    }
  }
  return done;
}

type Counted = Pick<Resealed, 'records' | 'unreadable'>;

async function patiently(place: RecordPlace, timing: Timing, some: readonly Place[]): Promise<Counted> {
  const limit = performance.now() + timing.patience;
  for (;;) {
    const transaction = await place.handle.db.startTransaction().execute();
    let counted: Counted;
    try {
      await guard(transaction, timing, 2 * timing.statement);
      counted = await rewrite(transaction, place, some);
    } catch (error) {
      await giveUp(transaction);
      const again = [LOCK_NOT_AVAILABLE, DEADLOCK].includes(sqlState(error) ?? '');
      if (!again || performance.now() > limit) throw error;
      continue;
    }
    // If its end is not known, whoever rotates again finds out.
    await finish(transaction);
    return counted;
  }
}

async function rewrite(
  transaction: Transaction,
  { handle, codec }: RecordPlace,
  some: readonly Place[],
): Promise<Counted> {
  const columns = (places: readonly Place[]) => sql`unnest(
    ${places.map(({ collection }) => collection)}::text[], ${places.map(({ key }) => key)}::text[]
  )`;
  const { rows } = await sql<Place & { readonly content: string }>`select collection, key, content
    from ${tableOf(handle, 'records')} where (collection, key) in (select * from ${columns(some)})
    order by collection, key for update`.execute(transaction);
  let unreadable = 0;
  const anew = rows.flatMap(({ collection, key, content }) => {
    if (codec.isCurrent(content)) return [];
    const encoded = codec.reseal(collection, key, content);
    if (encoded === null) unreadable++;
    return encoded === null ? [] : [{ collection, key, encoded }];
  });
  if (anew.length === 0) return { records: 0, unreadable };
  await sql`update ${tableOf(handle, 'records')} as record set content = anew.content
    from unnest(${anew.map(({ collection }) => collection)}::text[], ${anew.map(({ key }) => key)}::text[],
      ${anew.map(({ encoded }) => encoded.content)}::text[]) as anew (collection, key, content)
    where record.collection = anew.collection and record.key = anew.key`.execute(transaction);
  await sql`delete from ${tableOf(handle, 'record_uniques')}
    where (collection, key) in (select * from ${columns(anew)})`.execute(transaction);
  const marks = anew.flatMap(({ collection, key, encoded }) =>
    Object.entries(encoded.unique).map(([field, value]) => ({ collection, key, field, value })),
  );
  // A record that was written while this one's key was away may have the value: then it keeps it.
  await sql`insert into ${tableOf(handle, 'record_uniques')} (collection, key, field, value)
    select * from unnest(${marks.map(({ collection }) => collection)}::text[], ${marks.map(({ key }) => key)}::text[],
      ${marks.map(({ field }) => field)}::text[], ${marks.map(({ value }) => value)}::text[])
    on conflict do nothing`.execute(transaction);
  return { records: anew.length, unreadable };
}
