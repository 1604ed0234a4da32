/**
 * The compiler thread: takes jobs one after the other and answers each.
 *
 * Beside traffic it runs at a low priority, which it takes before it loads what it needs: that alone is some 100 ms of
 * CPU time.
 */
import { setPriority } from 'node:os';
import { getHeapStatistics } from 'node:v8';
import { parentPort, workerData } from 'node:worker_threads';
import type { CompilerJob, CompilerReply, CompilerStart } from './compile-job.ts';

const { nice } = workerData as CompilerStart;
// Only Linux has a priority for each thread; elsewhere this would slow the whole process.
if (nice > 0 && process.platform === 'linux') setPriority(nice);
const { runJob } = await import('./compiler-jobs.ts');

parentPort?.on('message', (job: CompilerJob) => {
  void runJob(job).then((answer) => {
    const heapBytes = getHeapStatistics().total_heap_size;
    parentPort?.postMessage({ answer, heapBytes } satisfies CompilerReply, []);
  });
});
