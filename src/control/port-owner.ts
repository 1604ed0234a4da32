/** Who listens on a TCP port: Linux's /proc, as far as this process may read it. */
import { readFileSync, readdirSync, readlinkSync } from '../lib/node-fs.ts';

export interface PortOwner {
  readonly program: string;
  readonly pid: number;
}

/** Kernel's TCP_LISTEN in the column `st`. */
const LISTEN_STATE = '0A';

/** @returns null where it cannot be found out: another system, another user's process, another container. */
export function portOwner(port: number): PortOwner | null {
  try {
    const inodes = new Set([
      ...listeningInodes(readFileSync('/proc/net/tcp', 'utf8'), port),
      ...listeningInodes(readFileSync('/proc/net/tcp6', 'utf8'), port),
    ]);
    return inodes.size === 0 ? null : ownerOf(inodes);
  } catch {
    return null;
  }
}

/** Inodes of the sockets in a table of /proc/net/tcp's form that listen on the port. */
export function listeningInodes(table: string, port: number): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const inodes: string[] = [];
  for (const line of table.split('\n').slice(1)) {
    const fields = line.trim().split(/\s+/);
    const [, local, , state, , , , , , inode] = fields;
    if (local?.endsWith(suffix) === true && state === LISTEN_STATE && inode !== undefined) inodes.push(inode);
  }
  return inodes;
}

function ownerOf(inodes: ReadonlySet<string>): PortOwner | null {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (holdsSocket(pid, inodes)) {
      return { program: readFileSync(`/proc/${pid}/comm`, 'utf8').trim(), pid: Number(pid) };
    }
  }
  return null;
}

function holdsSocket(pid: string, inodes: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      const target = readlinkSync(`/proc/${pid}/fd/${fd}`);
      return target.startsWith('socket:[') && inodes.has(target.slice(8, -1));
    });
  } catch {
    // Another user's process, or one that has just ended.
    return false;
  }
}
