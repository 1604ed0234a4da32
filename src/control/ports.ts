/**
 * Are the ports free? Each is bound once alone before the workers share it.
 *
 * Workers listen with SO_REUSEPORT, with which a second gateway on the same port would start without an error and
 * take half of the connections. A bind without that option fails as long as anybody else listens.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { formatListener } from '../settings/parse-listen.ts';
import type { Listener } from '../settings/settings.ts';
import { listenOn, MODE_OWNER } from '../wire/listen.ts';
import { portOwner } from './port-owner.ts';

/** @returns one sentence for each listener that cannot be had. */
export async function portProblems(listeners: readonly Listener[]): Promise<string[]> {
  const problems: string[] = [];
  for (const listener of listeners) {
    const error = await bindOnce(listener);
    if (error !== null) problems.push(bindProblem(listener, error));
  }
  return problems;
}

/** Why a listener cannot be had, for people. */
export function bindProblem(listener: Listener, error: NodeJS.ErrnoException): string {
  const { port, path, udp } = listener;
  const address = `${formatListener(listener)}${udp ? ' (udp)' : ''}`;
  // Of a unix socket the error itself says what stands there, or what may not be done to it.
  if (path !== null) return error.message.includes(path) ? error.message : `${address}: ${error.message}`;
  switch (error.code) {
    case 'EADDRINUSE': {
      const owner = portOwner(port, udp ? 'udp' : 'tcp');
      return `${address} is in use${owner === null ? '' : ` by ${owner.program} (pid ${owner.pid})`}`;
    }
    case 'EACCES':
      return `${address}: permission denied (ports below 1024 may need CAP_NET_BIND_SERVICE)`;
    case 'EADDRNOTAVAIL':
      return `${address}: this machine has no such address`;
    default:
      return `${address}: ${error.message}`;
  }
}

async function bindOnce(listener: Listener): Promise<NodeJS.ErrnoException | null> {
  try {
    await (listener.udp ? bindUdp(listener) : bindStream(listener));
    return null;
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
}

async function bindStream(listener: Listener): Promise<void> {
  const server = createServer();
  await listenOn(server, listener, { shared: false, mode: MODE_OWNER });
  server.close();
  await once(server, 'close');
}

async function bindUdp({ host, port, ipv6only }: Listener): Promise<void> {
  const socket = createSocket(host.includes(':') ? { type: 'udp6', ipv6Only: ipv6only } : { type: 'udp4' });
  try {
    socket.bind({ address: host, port, exclusive: true });
    await once(socket, 'listening');
  } finally {
    socket.close();
  }
}
