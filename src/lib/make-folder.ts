/** mkdir -p. Node's own (`recursive`) never returns where a file system says ENOENT for good, as /proc does. */
import { mkdirSync } from './node-fs.ts';
import { dirname } from 'node:path';

/** @throws Error of the system. */
export function makeFolder(path: string): void {
  try {
    mkdirSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT' || dirname(path) === path) throw error;
    makeFolder(dirname(path));
    mkdirSync(path);
  }
}
