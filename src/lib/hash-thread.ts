/** The thread of a `HashQueue`: one job after the other, at a lower priority than what serves requests. */
import { argon2Sync } from 'node:crypto';
import { setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import type { HashAnswer, HashJob } from './hash-queue.ts';

/** A third of the share of a thread that serves, when there is not enough for all. */
const NICE = 5;
// Only Linux has a priority for each thread; elsewhere this would slow the whole process.
if (process.platform === 'linux') setPriority(NICE);

parentPort?.on('message', (job: HashJob) => parentPort?.postMessage(answer(job), []));

function answer(job: HashJob): HashAnswer {
  try {
    return argon2Sync('argon2id', job);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
