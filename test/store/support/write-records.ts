/**
 * A victim that writes records: `write-records.ts FILE COLLECTION`. Each key has operations with numbers from 1, one at
 * a time (`stateAfter` in the test says what they do); what it prints are those that were acknowledged.
 */
import { writeSync } from 'node:fs';
import { once } from 'node:events';
import { flushCompileCache } from 'node:module';
import { SqliteRecords } from '../../../src/store/records/sqlite-records.ts';

const KEYS = 8;

const [, , path = '', collection = ''] = process.argv;
// Whoever is killed does not do it at its end.
flushCompileCache();
writeSync(1, 'ready\n');
await once(process.stdin, 'data');
const records = new SqliteRecords({ path, exists: () => true });

async function operate(key: string, n: number): Promise<void> {
  const counted = records.increment(collection, [{ key, amount: 1, ttlMs: 3_600_000 }]);
  if (n % 5 === 0) await records.delete(collection, key);
  else await records.put(collection, { key, value: { n }, unique: { i: `${key}-${n % 3}` } });
  await counted;
  writeSync(1, `${key} ${n}\n`);
}

async function writeOn(key: string): Promise<never> {
  for (let n = 1; ; n++) await operate(key, n);
}

await Promise.all(Array.from({ length: KEYS }, (_, n) => writeOn(`k${n}`)));
