/**
 * Are the ports free? Each is bound once alone before the workers share it.
 *
 * Workers listen with SO_REUSEPORT, with which a second gateway on the same port would start without an error and
 * take half of the connections. A bind without that option fails as long as anybody else listens.
 */
import { createServer } from 'node:net';
import { formatAddress } from '../settings/parse-listen.ts';
import type { Listener } from '../settings/settings.ts';
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
export function bindProblem({ host, port }: Listener, error: NodeJS.ErrnoException): string {
  const address = formatAddress(host, port);
  switch (error.code) {
    case 'EADDRINUSE': {
      const owner = portOwner(port);
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

function bindOnce({ host, port, ipv6only }: Listener): Promise<NodeJS.ErrnoException | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', resolve);
    server.listen({ host, port, ipv6Only: ipv6only, exclusive: true }, () =>
      server.close(() => resolve(null)),
    );
  });
}
