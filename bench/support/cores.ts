/**
 * Who runs where. The gateway has a core of its own; the upstream and the load share the second one on a machine with
 * two, and have one each on a larger one. What is compared is the gateway's CPU time, so it does not matter that the
 * shared core is the busier one; latencies are taken at a load that leaves both cores room.
 */
import { execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';

const last = availableParallelism() - 1;

export const CORES = {
  gateway: '0',
  upstream: String(Math.min(1, last)),
  load: String(Math.min(2, last)),
  /** Whoever is not to be pinned must say so: children inherit what `moveAway` did to this process. */
  all: `0-${last}`,
} as const;

/** Command words that run the command after them on a core. */
export function on(core: string): string[] {
  return ['taskset', '-c', core];
}

/** A command and its arguments, run on one core. */
export function pinned(core: string, words: readonly string[]): [command: string, args: string[]] {
  return ['taskset', ['-c', core, ...words]];
}

/** Moves this process (which only waits, and holds idle connections) off the gateway's core. */
export function moveAway(): void {
  execFileSync('taskset', ['-a', '-c', '-p', CORES.load, String(process.pid)], { stdio: 'ignore' });
}
