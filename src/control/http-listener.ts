/** HTTP listeners of the main thread (admin, status): a Hono application on `node:http`. */
import type { Server } from 'node:http';
import { createAdaptorServer } from '@hono/node-server';
import type { AdminApp } from './admin/resource.ts';
import { bindProblem } from './ports.ts';
import type { Listener } from '../settings/settings.ts';

export interface HttpListener {
  close(): void;
}

/** Open connections of one listener; an admin side has few clients. */
const MAX_CONNECTIONS = 1024;

/** @throws Error that names the address, when one cannot be had. */
export async function openHttp(listeners: readonly Listener[], app: AdminApp): Promise<HttpListener[]> {
  const opened: HttpListener[] = [];
  for (const listener of listeners) {
    const server = createAdaptorServer({
      fetch: (request, env) => app.fetch(request, { incoming: env.incoming }),
      overrideGlobalObjects: false,
    }) as Server;
    server.maxConnections = MAX_CONNECTIONS;
    await listen(server, listener);
    opened.push({
      close() {
        server.close();
        server.closeAllConnections();
      },
    });
  }
  return opened;
}

function listen(server: Server, listener: Listener): Promise<void> {
  const { host, port, backlog, ipv6only } = listener;
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => reject(new Error(bindProblem(listener, error)));
    server.once('error', onError);
    server.listen({ host, port, backlog, ipv6Only: ipv6only, exclusive: true }, () => {
      server.off('error', onError);
      resolve();
    });
  });
}
