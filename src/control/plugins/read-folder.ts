/**
 * Reads plugins in a thread of its own, which has a time and a heap: what a plugin does while it is imported must not stop
 * the main thread, which imports only what came through here.
 */
import { Worker } from 'node:worker_threads';
import { moduleUrl } from '../../lib/module-url.ts';
import type { ReadPlugin } from '../../plugins/users/bundle.ts';
import { PluginProblems } from '../../plugins/users/find.ts';
import type { PluginVersion } from '../../plugins/users/live.ts';

export interface ReadLimits {
  readonly timeoutMs: number;
  /** MiB of JavaScript heap. */
  readonly heapMb: number;
}

const LIMITS: ReadLimits = { timeoutMs: 20_000, heapMb: 512 };

interface Answer {
  readonly plugins: readonly ReadPlugin[];
  readonly problems: readonly string[];
}

/** @throws PluginProblems with a line for each plugin that does not load. */
export async function readFiles(
  files: readonly PluginVersion[],
  { timeoutMs, heapMb }: ReadLimits = LIMITS,
): Promise<readonly ReadPlugin[]> {
  if (files.length === 0) return [];
  const thread = new Worker(moduleUrl('./reader-thread', import.meta.url), {
    name: 'sluice plugin reader',
    workerData: { files },
    resourceLimits: { maxOldGenerationSizeMb: heapMb },
    stdout: false,
  });
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const names = files.map(({ name }) => name).join(', ');
  const fail = (what: string): void =>
    reject(new PluginProblems([`plugins_dir: importing ${names}: ${what}`]));
  const timer = setTimeout(() => fail(`it took more than ${timeoutMs / 1000} s`), timeoutMs);
  thread.once('message', resolve);
  thread.once('error', (error: unknown) => fail(error instanceof Error ? error.message : String(error)));
  thread.once('exit', () => fail('the thread ended'));
  try {
    const { plugins, problems } = await promise;
    if (problems.length > 0) throw new PluginProblems(problems);
    return plugins;
  } finally {
    clearTimeout(timer);
    void thread.terminate();
  }
}
