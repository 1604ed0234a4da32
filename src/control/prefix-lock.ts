/**
 * One gateway per prefix: `PREFIX/pids/sluice.pid`, created exclusively and complete (a hard link), removed at exit.
 *
 * A pid file that another process left behind is recognized: its pid is our own (a restarted container gives the same
 * pid again), no such process exists, or the process does not answer on the prefix's control socket (the pid went to
 * a stranger). A gateway that has just started may not listen there yet, so a young file gets a few tries.
 */
import { join } from 'node:path';
import { linkSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from '../lib/node-fs.ts';
import { isAlive } from '../lib/is-alive.ts';
import { makeFolder } from '../lib/make-folder.ts';
import { answersControl } from './control-client.ts';

/** The prefix belongs to a gateway that runs. */
export class PrefixInUse extends Error {}

export interface PrefixLock {
  readonly pidFile: string;
  /** Removes the file if it is still ours. Synchronous, for `process.on('exit')`. */
  release(): void;
}

export function pidFilePath(prefix: string): string {
  return join(prefix, 'pids', 'sluice.pid');
}

export function controlSocketPath(prefix: string): string {
  return join(prefix, 'control.sock');
}

const YOUNG_MS = 5000;
const RETRY_MS = 100;

/** @throws PrefixInUse; Error when the prefix cannot be written. */
export async function lockPrefix(prefix: string, pid: number = process.pid): Promise<PrefixLock> {
  const pidFile = pidFilePath(prefix);
  makeFolder(join(prefix, 'pids'));
  const content = `${pid}\n`;
  const own = `${pidFile}.${pid}`;
  try {
    writeFileSync(own, content);
    while (!tryLink(own, pidFile)) {
      const found = readPid(pidFile);
      if (found !== null && (await isGateway(found, pid, prefix))) {
        throw new PrefixInUse(`a gateway is running with the prefix ${prefix} (pid ${found.pid})`);
      }
      if (found !== null) takeAway(pidFile, found.text, own);
    }
  } finally {
    rmSync(own, { force: true });
  }
  return { pidFile, release: () => release(pidFile, content) };
}

interface FoundPid {
  readonly text: string;
  readonly pid: number;
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function readPid(pidFile: string): FoundPid | null {
  try {
    const text = readFileSync(pidFile, 'utf8');
    return { text, pid: Number(text.trim()) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

async function isGateway({ pid }: FoundPid, own: number, prefix: string): Promise<boolean> {
  if (pid === own || !Number.isSafeInteger(pid) || pid <= 0 || !isAlive(pid)) return false;
  const socket = controlSocketPath(prefix);
  while (!(await answersControl(socket))) {
    if (!isYoung(pidFilePath(prefix)) || !isAlive(pid)) return false;
    await new Promise((resolve) => {
      setTimeout(resolve, RETRY_MS);
    });
  }
  return true;
}

/** A file from the future is as old as any: the clock was wrong before it, or is now. */
function isYoung(file: string): boolean {
  const age = Date.now() - (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0);
  return Math.abs(age) <= YOUNG_MS;
}

/** Moves the stale file aside; if another start was faster and this is its file, puts it back. */
function takeAway(pidFile: string, stale: string, own: string): void {
  const aside = `${own}.stale`;
  try {
    renameSync(pidFile, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if (readFileSync(aside, 'utf8') !== stale) tryLink(aside, pidFile);
  rmSync(aside, { force: true });
}

function release(pidFile: string, content: string): void {
  try {
    if (readFileSync(pidFile, 'utf8') === content) rmSync(pidFile);
  } catch {
    // Gone already, or not ours to remove: either way nothing is left to do at exit.
  }
}
