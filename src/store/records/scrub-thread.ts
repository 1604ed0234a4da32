/** The thread of scrub.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { Connection } from '../catalog/connection.ts';
import type { ScrubStart } from './scrub.ts';

const CACHE_KIB = 4096;

const { path } = workerData as ScrubStart;
const connection = new Connection(path, { durable: true, cacheKib: CACHE_KIB });
try {
  connection.exec('VACUUM');
  parentPort?.postMessage(connection.get('PRAGMA wal_checkpoint(TRUNCATE)')?.['busy'] === 0, []);
} finally {
  connection.close();
}
