/** Servers that refuse to run as root: as root, they are run as the user whom Debian's package made for Postgres. */
import { execFileSync } from 'node:child_process';
import { chownSync } from 'node:fs';

const USER = 'postgres';

const isRoot = process.getuid?.() === 0;

function id(option: string): number {
  return Number(execFileSync('id', [option, USER], { encoding: 'utf8' }));
}

/** The command line that runs another one without privileges. The process is the command's own: signals reach it. */
export function unprivileged(...command: readonly string[]): readonly [string, ...string[]] {
  const [name = '', ...args] = command;
  if (!isRoot) return [name, ...args];
  return ['setpriv', `--reuid=${USER}`, `--regid=${USER}`, '--init-groups', name, ...args];
}

/** Makes a file or folder theirs. */
export function handOver(path: string): void {
  if (isRoot) chownSync(path, id('-u'), id('-g'));
}
