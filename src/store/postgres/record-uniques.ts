/** A put's unique values: all of them become this record's, or it is refused. */
import { sql, type RawBuilder } from 'kysely';
import type { Encoded } from '../records/record-codec.ts';
import type { PutOptions, RecordInput } from '../records/records.ts';
import type { Transaction } from './append.ts';
import { ALIVE } from './record-rows.ts';
import { tableOf, type Handle } from './tables.ts';

export interface Put {
  readonly collection: string;
  readonly record: RecordInput;
  readonly options: PutOptions;
}

/** A put with what is stored of it. */
export interface EncodedPut extends Put {
  readonly encoded: Encoded;
  /** Index and text of each unique value under which another record may stand, with older keys for secrets. */
  readonly older: ReadonlyArray<readonly [index: string, text: string]>;
}

type Pairs = ReadonlyArray<readonly [index: string, text: string]>;

function asTable(pairs: Pairs): RawBuilder<unknown> {
  return sql`unnest(${pairs.map(([index]) => index)}::text[], ${pairs.map(([, text]) => text)}::text[])
    as wanted (field, value)`;
}

/** Answers whether all of them are this record's now. What is over gives way. */
export async function takeUniques(
  transaction: Transaction,
  handle: Handle,
  put: EncodedPut,
): Promise<boolean> {
  const { collection, record, encoded, older } = put;
  const unique = Object.entries(encoded.unique).sort(([a], [b]) => (a < b ? -1 : 1));
  if (unique.length === 0) return true;
  if (older.length > 0 && (await isHeld(transaction, handle, put))) return false;
  const insertFree = async (): Promise<number> => {
    const { numAffectedRows } = await sql`
      insert into ${tableOf(handle, 'record_uniques')} (collection, field, value, key)
      select ${collection}, field, value, ${record.key} from ${asTable(unique)} order by field, value
      on conflict do nothing`.execute(transaction);
    return Number(numAffectedRows ?? 0n);
  };
  const free = await insertFree();
  if (free === unique.length) return true;
  await removeOver(transaction, handle, put, unique);
  return free + (await insertFree()) === unique.length;
}

async function removeOver(
  transaction: Transaction,
  handle: Handle,
  { collection, record }: Put,
  pairs: Pairs,
): Promise<void> {
  await sql`delete from ${tableOf(handle, 'records')} as record
    using ${tableOf(handle, 'record_uniques')} as held
      join ${asTable(pairs)} on held.field = wanted.field and held.value = wanted.value
    where held.collection = ${collection} and held.key <> ${record.key}
      and record.collection = held.collection and record.key = held.key and not ${ALIVE}`.execute(
    transaction,
  );
}

/** Whether another record has one of the values as an older key for secrets writes it. */
async function isHeld(transaction: Transaction, handle: Handle, put: EncodedPut): Promise<boolean> {
  const { collection, record, older } = put;
  await removeOver(transaction, handle, put, older);
  const { rows } = await sql`select 1 from ${tableOf(handle, 'record_uniques')} as held
    join ${asTable(older)} on held.field = wanted.field and held.value = wanted.value
    where held.collection = ${collection} and held.key <> ${record.key} limit 1`.execute(transaction);
  return rows.length > 0;
}
