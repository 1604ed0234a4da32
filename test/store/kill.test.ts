/**
 * The store of the configuration is killed in the middle of writes, again and again: every commit that was acknowledged
 * is there, no half one is, and it starts. `KILL_ROUNDS=5000 npm test -- kill` does it more often.
 */
import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Catalog } from '../../src/store/catalog/catalog.ts';
import { tempDir } from '../support/temp-dir.ts';
import { checkStore, Replay } from './support/replay.ts';
import { Victim, Victims } from './support/victim.ts';

const ROUNDS = Number(process.env['KILL_ROUNDS'] ?? 300);
/** Seconds after which no round begins: a busy machine does fewer, but never less than a third. */
const SECONDS = process.env['KILL_ROUNDS'] === undefined ? 75 : Infinity;
const WRITER = fileURLToPath(new URL('support/write-config.ts', import.meta.url));
const RETENTION = 150;

/** Octets of a page and of the WAL's head of one (SQLite's file format, section 4). */
const FRAME = 4096 + 24;
const WAL_HEAD = 32;
/** SQLite writes its log back into the file from 1000 pages on: then its tail is no longer the only copy. */
const ALL_IN_LOG = 900 * FRAME;

/** A log as a power cut may leave what was not yet flushed. Null: what was lost is nothing. */
const TEARS: ReadonlyArray<(wal: Buffer) => Buffer> = [
  (wal) => wal.subarray(0, randomInt(wal.length + 1)),
  (wal) => wal.subarray(0, Math.max(0, wal.length - randomInt(3 * FRAME))),
  (wal) => damaged(wal, (bytes) => randomBytes(bytes.length)),
  (wal) => damaged(wal, (bytes) => Buffer.alloc(bytes.length)),
  (wal) => damaged(wal, (bytes) => bytes.map((byte) => byte ^ 1)),
];

/** A stretch of the last pages is something else. */
function damaged(wal: Buffer, make: (bytes: Buffer) => Uint8Array): Buffer {
  const copy = Buffer.from(wal);
  const from = Math.max(WAL_HEAD, copy.length - randomInt(1, 8 * FRAME));
  if (from < copy.length) copy.set(make(copy.subarray(from, from + randomInt(1, FRAME))), from);
  return copy;
}

/** The store with a torn log opens at some commit, and is that commit's state. */
async function checkTorn(folder: string, before: Replay, scratch: Catalog): Promise<boolean> {
  const path = join(folder, 'store.db');
  const wal = await readFile(`${path}-wal`).catch(() => Buffer.alloc(0));
  if (wal.length <= WAL_HEAD || wal.length > ALL_IN_LOG) return false;
  const torn = join(folder, 'torn.db');
  await copyFile(path, torn);
  await writeFile(`${torn}-wal`, TEARS[randomInt(TEARS.length)]?.(wal) ?? wal);
  const head = checkStore(torn, new Replay(before), scratch);
  assert.ok(head >= before.revision);
  await Promise.all(['', '-wal', '-shm'].map((suffix) => rm(torn + suffix, { force: true })));
  return true;
}

test('killed at any moment, it has what it acknowledged, nothing half, and starts', async () => {
  await using folder = await tempDir();
  const path = join(folder.path, 'store.db');
  const cache = join(folder.path, 'code');
  await using victims = new Victims(() => new Victim(WRITER, [path, String(RETENTION)], cache));
  const known = new Replay();
  const scratch = new Catalog({ path: join(folder.path, 'scratch.db'), durable: false });
  const end = performance.now() + SECONDS * 1000;
  let [rounds, torn, unheard] = [0, 0, 0];
  for (; rounds < ROUNDS && (performance.now() < end || rounds < ROUNDS / 3); rounds++) {
    // Some are killed while they open the store.
    const early = rounds % 10 === 0;
    const acknowledged = await victims
      .next()
      .run({ lines: early ? 0 : randomInt(1, 12), ms: randomInt(early ? 40 : 6) });
    const last = Number(acknowledged.at(-1) ?? known.revision);
    if (await checkTorn(folder.path, known, scratch)) torn++;
    const head = checkStore(path, known, scratch);
    assert.ok(head >= last, `revision ${last} was acknowledged, and the store is at ${head}`);
    assert.ok(head <= last + 1, `revision ${head} is there, and only ${last} was acknowledged`);
    if (head > last) unheard++;
  }
  // The moments were such that the test means something.
  assert.ok(known.revision > rounds && torn > rounds / 2, `${known.revision} revisions, ${torn} torn logs`);
  scratch.close();
  using database = new DatabaseSync(path);
  const { oldest } = database.prepare(`SELECT value AS oldest FROM meta WHERE name = 'oldest'`).get() ?? {};
  assert.ok(known.revision < RETENTION || Number(oldest) > 0);
  console.log(`${rounds} kills, ${known.revision} commits, ${unheard} committed unheard, ${torn} torn logs`);
});
