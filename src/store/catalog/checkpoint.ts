/**
 * Moves what commits have left in the write-ahead log to its place in the file, on a thread of its own: after a large
 * commit that takes most of a second, and whoever does it stands still.
 */
import { Worker } from 'node:worker_threads';
import { moduleUrl } from '../../lib/module-url.ts';

export interface CheckpointStart {
  readonly path: string;
  readonly durable: boolean;
}

/** Resolves also when it could not be done: the next commits that are not large do it then. */
export async function checkpoint(start: CheckpointStart): Promise<void> {
  const thread = new Worker(moduleUrl('./checkpoint-thread', import.meta.url), {
    name: 'sluice checkpoint',
    workerData: start,
  });
  // A stop does not wait for it: whoever opens the file next goes on from the log.
  thread.unref();
  thread.on('error', () => undefined);
  await new Promise((resolve) => {
    thread.on('exit', resolve);
  });
}
