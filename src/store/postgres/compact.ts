/** Deletes what the log no longer keeps: first the commits, so that nobody reads them any more, then their changes. */
import { sql } from 'kysely';
import { tableOf, type Handle } from './tables.ts';

/** Rows of one statement: none may take long. */
const STEP = 5000;

/** @param last the last revision that goes. */
export async function compact(handle: Handle, last: number): Promise<void> {
  if (last < 1) return;
  await handle.db.deleteFrom('commits').where('revision', '<=', last).execute();
  for (;;) {
    // Another node may be doing the same.
    const { numAffectedRows = 0n } =
      await sql`delete from ${tableOf(handle, 'changes')} where ctid = any(array(
      select ctid from ${tableOf(handle, 'changes')} where revision <= ${last} limit ${STEP} for update skip locked
    ))`.execute(handle.db);
    if (numAffectedRows < STEP) return;
  }
}
