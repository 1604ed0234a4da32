/**
 * Whether what was sent has been read, which no event tells. A reset throws away what its receiver has not read yet, so
 * whoever plays a peer that resets behind some bytes must know.
 */
import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { waitFor } from './wait.ts';

/** The kernel's tables of connections (proc_pid_net(5)): local and remote address, state, queues. */
const TABLES = ['/proc/net/tcp', '/proc/net/tcp6'];

const portHex = (port: number | undefined): string =>
  `:${(port ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;

/** Octets that wait for the process at the other end; null when it has no such connection any more. */
async function unread(far: string, near: string): Promise<number | null> {
  for (const table of TABLES) {
    const text = await readFile(table, 'utf8').catch(() => '');
    for (const line of text.split('\n')) {
      const [, local = '', remote = '', , queues = ''] = line.trim().split(/\s+/);
      if (local.endsWith(far) && remote.endsWith(near))
        return Number.parseInt(queues.split(':')[1] ?? '', 16);
    }
  }
  return null;
}

/** Resolves when the other end, a process of this machine, has read all that was written to the socket, or is gone. */
export async function taken(socket: Socket): Promise<void> {
  const [far, near] = [portHex(socket.remotePort), portHex(socket.localPort)];
  const isTaken = async (): Promise<boolean> =>
    socket.destroyed || (socket.writableLength === 0 && ((await unread(far, near)) ?? 0) === 0);
  await waitFor(isTaken, { interval: 1, what: 'the other side to read' });
}
