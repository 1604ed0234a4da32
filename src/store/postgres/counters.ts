/** Counters as rows of Postgres: many in one statement, in one order, so that two calls do not wait for each other. */
import { sql } from 'kysely';
import { MAX_COUNT, mergedSteps, type CounterStep } from '../records/records.ts';
import { NOW } from './record-rows.ts';
import { tableOf, type Handle } from './tables.ts';

interface Row {
  readonly key: string;
  readonly value: number;
}

export async function incrementCounters(
  handle: Handle,
  collection: string,
  given: readonly CounterStep[],
): Promise<Map<string, number>> {
  const steps = [...mergedSteps(given).values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  if (steps.length === 0) return new Map();
  const { rows } =
    await sql<Row>`insert into ${tableOf(handle, 'counters')} as counter (collection, key, value, expires)
    select ${collection}, key, amount, ${NOW} + ttl from unnest(
      ${steps.map(({ key }) => key)}::text[], ${steps.map(({ amount }) => amount)}::bigint[],
      ${steps.map(({ ttlMs }) => ttlMs)}::bigint[]
    ) as step (key, amount, ttl)
    on conflict (collection, key) do update set
      value = case when counter.expires > ${NOW}
        then greatest(-${MAX_COUNT}::bigint, least(${MAX_COUNT}::bigint, counter.value + excluded.value))
        else excluded.value end,
      expires = case when counter.expires > ${NOW} then counter.expires else excluded.expires end
    returning key, value`.execute(handle.db);
  return byKey(rows);
}

export async function readCounters(
  handle: Handle,
  collection: string,
  keys: readonly string[],
): Promise<Map<string, number>> {
  const { rows } = await sql<Row>`select key, value from ${tableOf(handle, 'counters')}
    where collection = ${collection} and key = any(${keys}::text[]) and expires > ${NOW}`.execute(handle.db);
  return byKey(rows);
}

function byKey(rows: readonly Row[]): Map<string, number> {
  return new Map(rows.map(({ key, value }) => [key, value]));
}
