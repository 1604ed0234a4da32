/**
 * A reader of the concurrency test: looks up random keys until it is told to stop, and checks each answer against what
 * the writer has said before and after.
 */
import assert from 'node:assert/strict';
import { parentPort, workerData } from 'node:worker_threads';
import { Directory } from '../../src/zone/directory/directory.ts';
import type { DirectoryFeed } from '../../src/zone/directory/feeds.ts';
import { KEYS, type KeyRow, KINDS, OWNERS, ownerOf, STABLE, textOf, uuid } from './directory-keys.ts';

const { feed, intended, acknowledged, stop, checked } = workerData as {
  readonly feed: DirectoryFeed;
  readonly intended: Int32Array;
  readonly acknowledged: Int32Array;
  readonly stop: Int32Array;
  /** Look-ups with an exact answer so far, for the writer to see. */
  readonly checked: Int32Array;
};
const directory = new Directory<{ readonly keys: KeyRow }>(KINDS, feed);
let lookups = 0;
let exact = 0;

/** Versions: positive when it is there, negative when it was removed. */
function checkVersion(n: number, before: number, after: number, row: KeyRow | null): void {
  const version = row === null ? null : row.version;
  if (row !== null) {
    assert.equal(row.id, uuid(n));
    assert.equal(row.key, `key ${n}`);
    assert.equal(row.consumer.id, uuid(ownerOf(n, row.version)));
    assert.equal(row.text, textOf(n, row.version), 'a torn row');
  }
  if (before === after) {
    exact++;
    Atomics.store(checked, 0, exact);
    assert.equal(version, before > 0 ? before : null);
  } else if (version !== null) {
    const first = before > 0 ? before : 1 - before;
    assert.ok(version >= first && version <= Math.abs(after), `${version} is not of ${before} to ${after}`);
  }
}

function checkOwned(): void {
  const owner = lookups % OWNERS;
  const rows = directory.owned('keys', uuid(1_000_000 + owner));
  const seen = new Set(rows.map(({ id }) => id));
  assert.equal(seen.size, rows.length, 'the same row twice');
  for (const row of rows) assert.equal(row.consumer.id, uuid(1_000_000 + owner));
  for (let n = 0; n < STABLE; n++) {
    assert.equal(seen.has(uuid(n)), ownerOf(n, 1) === 1_000_000 + owner, `${n} of ${owner}`);
  }
}

while (Atomics.load(stop, 0) === 0) {
  const n = Math.floor(Math.random() * KEYS);
  const before = Atomics.load(acknowledged, n);
  const row = lookups % 2 === 0 ? directory.find('keys', 'key', `key ${n}`) : directory.get('keys', uuid(n));
  checkVersion(n, before, Atomics.load(intended, n), row);
  if (lookups++ % 500 === 0) checkOwned();
}
parentPort?.postMessage({ lookups, exact }, []);
