/**
 * Loaded into the threads of a gateway by `live-memory.ts`: the main one and those of workers say again and again, in a
 * file each, how many octets are live in their heap and in their buffers. They collect first: garbage does not count.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread, threadId, workerData } from 'node:worker_threads';

const INTERVAL_MS = 200;

function tellAgainAndAgain(folder: string): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  let said = 0;
  setInterval(() => {
    collect();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    // Renamed, so that nobody reads half a number.
    writeFileSync(`${folder}/.${threadId}`, `${++said} ${heapUsed + arrayBuffers}`);
    renameSync(`${folder}/.${threadId}`, `${folder}/${threadId}`);
  }, INTERVAL_MS).unref();
}

// Threads that compile come and go.
const { workerId } = (workerData ?? {}) as { readonly workerId?: number };
if (isMainThread || workerId !== undefined) tellAgainAndAgain(process.env['LIVE_MEMORY_FOLDER'] ?? '');
