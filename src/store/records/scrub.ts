/** Writes a SQLite file anew, and empties its write-ahead log, on a thread of its own: it may take seconds. */
import { Worker } from 'node:worker_threads';
import { moduleUrl } from '../../lib/module-url.ts';
import { StoreUnavailable } from '../errors.ts';

export interface ScrubStart {
  readonly path: string;
}

/** It is done whole, or not at all. False: somebody else was reading all the time. @throws StoreUnavailable */
export async function scrubFile(path: string): Promise<boolean> {
  const start: ScrubStart = { path };
  const thread = new Worker(moduleUrl('./scrub-thread', import.meta.url), {
    name: 'sluice scrub',
    workerData: start,
  });
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  thread.on('message', resolve);
  thread.on('error', (error: Error) => reject(new StoreUnavailable(`the records: ${error.message}`)));
  thread.on('exit', () => reject(new StoreUnavailable('the records: they were closed meanwhile')));
  return await promise;
}
