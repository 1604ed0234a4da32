/** The thread of checkpoint.ts. Readers and who writes meanwhile are not held up. */
import { setPriority } from 'node:os';
import { workerData } from 'node:worker_threads';
import type { CheckpointStart } from './checkpoint.ts';
import { Connection } from './connection.ts';

const NICE = 10;
const CACHE_KIB = 1024;

// Only Linux has a priority for each thread; elsewhere this would slow the whole process.
if (process.platform === 'linux') setPriority(NICE);
const { path, durable } = workerData as CheckpointStart;
const connection = new Connection(path, { durable, cacheKib: CACHE_KIB });
connection.exec('PRAGMA wal_checkpoint(PASSIVE)');
connection.close();
