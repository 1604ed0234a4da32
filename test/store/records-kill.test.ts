/** Records in SQLite are killed in the middle of writes: whatever was acknowledged is there, whole. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { SqliteRecords } from '../../src/store/records/sqlite-records.ts';
import { tempDir } from '../support/temp-dir.ts';
import { Victim, Victims } from './support/victim.ts';

const ROUNDS = Number(process.env['KILL_ROUNDS'] ?? 40);
const WRITER = fileURLToPath(new URL('support/write-records.ts', import.meta.url));
const KEYS = Array.from({ length: 8 }, (_, n) => `k${n}`);

interface State {
  /** Of the record; null: it is deleted. */
  readonly n: number | null;
  readonly count: number;
}

/** What a key's operations 1 to `n` lead to. */
function stateAfter(n: number): State {
  return { n: n === 0 || n % 5 === 0 ? null : n, count: n };
}

async function stateOf(records: SqliteRecords, collection: string, key: string): Promise<State> {
  const record = await records.get(collection, key);
  for (const i of [0, 1, 2]) {
    const found = await records.findBy(collection, 'i', `${key}-${i}`);
    assert.deepEqual(found, record !== null && Number(record.value['n']) % 3 === i ? record : null);
  }
  const [count] = await records.counts(collection, [key]);
  return { n: record === null ? null : Number(record.value['n']), count: count ?? 0 };
}

test('killed at any moment, records are what was acknowledged', async () => {
  await using folder = await tempDir();
  const path = join(folder.path, 'records.db');
  const cache = join(folder.path, 'code');
  let made = 0;
  await using victims = new Victims(() => new Victim(WRITER, [path, `c${made++}`], cache));
  const states = new Map<string, State>();
  let acknowledged = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const lines = await victims
      .next()
      .run({ lines: round % 10 === 0 ? 0 : randomInt(1, 60), ms: randomInt(6) });
    acknowledged += lines.length;
    const last = new Map(lines.map((line) => line.split(' ') as [string, string]));
    const records = new SqliteRecords({ path, exists: () => true });
    for (const key of KEYS) {
      const n = Number(last.get(key) ?? 0);
      const state = await stateOf(records, `c${round}`, key);
      // The next operation may have happened without a word.
      const allowed = [stateAfter(n), stateAfter(n + 1)].map((one) => JSON.stringify(one));
      assert.ok(
        allowed.includes(JSON.stringify(state)),
        `${key}: ${JSON.stringify(state)}, not ${allowed.join()}`,
      );
      states.set(`c${round} ${key}`, state);
    }
    records.close();
  }
  assert.ok(acknowledged > ROUNDS);
  const records = new SqliteRecords({ path, exists: () => true });
  for (const [place, state] of states) {
    const [collection = '', key = ''] = place.split(' ');
    assert.deepEqual(await stateOf(records, collection, key), state);
  }
  records.close();
});
