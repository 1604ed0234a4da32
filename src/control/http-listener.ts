/** HTTP listeners of the main thread (admin, status): a Hono application on `node:http`, with nginx's access log. */
import { type IncomingMessage, type Server, ServerResponse } from 'node:http';
import { createAdaptorServer } from '@hono/node-server';
import type { AccessLog } from '../observe/access-log.ts';
import type { AdminApp } from './admin/resource.ts';
import { bindProblem } from './ports.ts';
import type { Listener } from '../settings/settings.ts';

export interface HttpListener {
  close(): void;
}

/** Open connections of one listener; an admin side has few clients. */
const MAX_CONNECTIONS = 1024;

/** nginx's status for a client that went before its answer. */
const CLIENT_GONE = 499;

/** @throws Error that names the address, when one cannot be had. */
export async function openHttp(
  listeners: readonly Listener[],
  app: AdminApp,
  access: AccessLog | null,
): Promise<HttpListener[]> {
  const opened: HttpListener[] = [];
  for (const listener of listeners) {
    const server = createAdaptorServer({
      fetch: (request, env) => app.fetch(request, { incoming: env.incoming }),
      overrideGlobalObjects: false,
      // Its type is generic, as no class of a user's can be.
      serverOptions: { ServerResponse: CountingResponse as unknown as typeof ServerResponse },
    }) as Server;
    if (access !== null) logAccess(server, access);
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

/** Knows the size of its body: nginx's `$body_bytes_sent`. */
class CountingResponse extends ServerResponse {
  bodyBytes = 0;

  override write(chunk: unknown, ...rest: unknown[]): boolean {
    this.#count(chunk);
    return super.write(chunk, ...(rest as [BufferEncoding]));
  }

  override end(chunk?: unknown, ...rest: unknown[]): this {
    this.#count(chunk);
    return super.end(chunk, ...(rest as [BufferEncoding]));
  }

  #count(chunk: unknown): void {
    if (this.req.method === 'HEAD') return;
    if (typeof chunk === 'string') this.bodyBytes += Buffer.byteLength(chunk);
    else if (chunk instanceof Uint8Array) this.bodyBytes += chunk.length;
  }
}

function logAccess(server: Server, access: AccessLog): void {
  server.on('request', (request: IncomingMessage, response: CountingResponse) => {
    // Taken now: a socket that is gone has no address.
    const remoteAddr = request.socket.remoteAddress ?? '';
    response.on('close', () => {
      access.write({
        remoteAddr,
        remoteUser: '',
        method: request.method ?? '',
        target: request.url ?? '',
        version: request.httpVersion === '1.0' ? '1.0' : '1.1',
        status: response.headersSent ? response.statusCode : CLIENT_GONE,
        bytesSent: response.bodyBytes,
        referer: request.headers.referer ?? '',
        userAgent: request.headers['user-agent'] ?? '',
        requestId: null,
      });
    });
  });
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
