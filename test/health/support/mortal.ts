/** Loaded ahead of a gateway (`--import`): worker 0 ends as soon as the file `DIE_FILE` is there. */
import { existsSync, rmSync } from 'node:fs';
import { isMainThread, workerData } from 'node:worker_threads';

const file = process.env['DIE_FILE'];
const { workerId } = (workerData ?? {}) as { readonly workerId?: number };
if (!isMainThread && workerId === 0 && file !== undefined) {
  setInterval(() => {
    if (!existsSync(file)) return;
    rmSync(file);
    process.exit(7);
  }, 10).unref();
}
