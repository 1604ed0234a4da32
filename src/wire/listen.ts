/**
 * Opening a listener as `proxy_listen` and the like have it: an address and port with the flags of nginx's `listen`, or a
 * unix socket. For all kinds of listeners, of workers and of the main thread.
 *
 * A unix socket is a file, and the file outlives a process that was killed. So before one is made, what stands there is
 * asked: a file that nobody answers on is removed, one that somebody serves is in use, and what is no socket is never
 * touched. Kernels do not spread the connections of one file over several listeners, so one thread serves it.
 */
import { chmod, lstat, unlink } from 'node:fs/promises';
import * as net from 'node:net';
import type { Listener } from '../settings/settings.ts';

export interface ListenOptions {
  /** Share the port with the node's other workers. */
  readonly shared: boolean;
  /** Of a unix socket's file. */
  readonly mode: number;
}

/** As nginx makes them: whoever may reach the folder may connect. */
export const MODE_EVERYBODY = 0o666;
/** Whoever connects may change the configuration. */
export const MODE_OWNER = 0o600;

/** Name of a peer on a unix socket, which has no address: nginx's, and that of `trusted_ips`. */
export const UNIX_PEER = 'unix:';

/** @throws NodeJS.ErrnoException when the address cannot be had. */
export async function listenOn(
  server: net.Server,
  listener: Listener,
  options: ListenOptions,
): Promise<void> {
  const { host, port, path, backlog, ipv6only } = listener;
  if (path !== null) await claimPath(path);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  if (path !== null) server.listen({ path, backlog, exclusive: true }, resolve);
  else {
    const reusePort = options.shared && process.platform === 'linux';
    server.listen({ host, port, backlog, ipv6Only: ipv6only, reusePort, exclusive: true }, resolve);
  }
  await promise;
  server.off('error', reject);
  if (path !== null) await chmod(path, options.mode);
}

/** Makes way for a unix socket. @throws NodeJS.ErrnoException: EADDRINUSE when somebody listens there. */
async function claimPath(path: string): Promise<void> {
  const there = await lstat(path).catch(() => null);
  if (there === null) return;
  if (!there.isSocket()) throw inUse(path, 'is there already and is no socket');
  if (await answers(path)) throw inUse(path, 'is in use');
  await unlink(path);
}

function inUse(path: string, why: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`unix:${path} ${why}`), { code: 'EADDRINUSE' });
}

/** A full queue and missing rights are signs of life, too. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    );
  });
}

/** TCP keep-alive of an accepted connection (`so_keepalive`). */
export function keepAlive(socket: net.Socket, { keepAlive: wanted }: Listener): void {
  if (wanted === null) return;
  const { enable, idle, interval, count } = wanted;
  const milliseconds = (seconds: number | null): number | undefined =>
    seconds === null ? undefined : seconds * 1000;
  socket.setKeepAlive(enable, milliseconds(idle), milliseconds(interval), count ?? undefined);
}

/** `::ffff:1.2.3.4` is the client 1.2.3.4 on a socket that takes both families. */
export function unmapped(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}
