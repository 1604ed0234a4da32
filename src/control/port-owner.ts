/** Who listens on a TCP or UDP port: Linux's /proc, as far as this process may read it. */
import { readFileSync, readdirSync, readlinkSync } from '../lib/node-fs.ts';

export interface PortOwner {
  readonly program: string;
  readonly pid: number;
}

/** The column `st`: the kernel's TCP_LISTEN, and TCP_CLOSE, which a UDP socket without a peer is in. */
const STATES = { tcp: '0A', udp: '07' } as const;

export type Transport = keyof typeof STATES;

/** @returns null where it cannot be found out: another system, another user's process, another container. */
export function portOwner(port: number, transport: Transport = 'tcp'): PortOwner | null {
  try {
    const inodes = new Set([
      ...listeningInodes(readFileSync(`/proc/net/${transport}`, 'utf8'), port, STATES[transport]),
      ...listeningInodes(readFileSync(`/proc/net/${transport}6`, 'utf8'), port, STATES[transport]),
    ]);
    return inodes.size === 0 ? null : ownerOf(inodes);
  } catch {
    return null;
  }
}

/** Inodes of the sockets in a table of /proc/net/tcp's form that listen on the port. */
export function listeningInodes(table: string, port: number, listening: string = STATES.tcp): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const inodes: string[] = [];
  for (const line of table.split('\n').slice(1)) {
    const fields = line.trim().split(/\s+/);
    const [, local, , state, , , , , , inode] = fields;
    if (local?.endsWith(suffix) === true && state === listening && inode !== undefined) inodes.push(inode);
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
