/**
 * What a gateway holds, garbage apart. The resident memory of a process also has what its heaps have not collected yet
 * (they let some 64 MiB of buffers lie) and what its allocator keeps, so it says little of what is kept.
 */
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { tempDir } from './temp-dir.ts';
import { waitFor } from './wait.ts';

const PROBE = fileURLToPath(new URL('live-memory-probe.ts', import.meta.url));

export interface LiveMemory extends AsyncDisposable {
  /** For the environment of the gateway. */
  readonly env: Readonly<Record<string, string>>;
  /** Octets of all threads, as each has told last. */
  now(): Promise<number>;
  /** When every thread has told since this was asked. */
  next(): Promise<number>;
}

export async function liveMemory(): Promise<LiveMemory> {
  const folder = await tempDir();
  const told = async (): Promise<Map<string, readonly [said: number, octets: number]>> => {
    const threads = (await readdir(folder.path)).filter((name) => !name.startsWith('.'));
    const texts = await Promise.all(threads.map((name) => readFile(`${folder.path}/${name}`, 'utf8')));
    return new Map(
      texts.map((text, n) => {
        const [said = 0, octets = 0] = text.split(' ').map(Number);
        return [threads[n] ?? '', [said, octets]];
      }),
    );
  };
  const sum = (all: Awaited<ReturnType<typeof told>>): number =>
    [...all.values()].reduce((total, [, octets]) => total + octets, 0);
  return {
    env: { NODE_OPTIONS: `--import=${PROBE}`, LIVE_MEMORY_FOLDER: folder.path },
    now: async () => sum(await told()),
    async next() {
      const before = await told();
      // One that is being written may have been begun before.
      return await waitFor(
        async () => {
          const all = await told();
          const anew = [...all].every(([name, [said]]) => said >= (before.get(name)?.[0] ?? 0) + 2);
          return all.size > 0 && anew && sum(all);
        },
        { what: 'all threads to tell what they hold' },
      );
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}
