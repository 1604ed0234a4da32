/** HTTP listeners of the main thread (admin, status): a Hono application with nginx's access log. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Server } from 'node:net';
import type { AccessLog } from '../observe/access-log.ts';
import type { AdminApp } from './admin/resource.ts';
import { shownTarget } from './admin/shown-target.ts';
import { answerClientErrors } from './client-error.ts';
import { type Counting, closer, createHttpServer, renewTls } from './http-server.ts';
import { bindProblem } from './ports.ts';
import type { ServerTls } from './tls.ts';
import type { Listener } from '../settings/settings.ts';
import type { InFlight } from './in-flight.ts';

export interface HttpListener {
  readonly host: string;
  readonly port: number;
  /** That it is bound to; a name of the settings may stand for any. */
  readonly address: string;
  /** Certificates for the connections that are to come; nothing for a listener without TLS. */
  renew(tls: ServerTls): void;
  close(): void;
}

export interface HttpOptions {
  /** Answers the application; the first request may have to wait until it is loaded. */
  readonly app: () => AdminApp | Promise<AdminApp>;
  readonly access: AccessLog | null;
  /** For the listeners with `ssl`. */
  readonly tls: ServerTls | null;
  /** Gets what is not a read. */
  readonly writes: InFlight;
}

const READS: ReadonlySet<string | undefined> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Open connections of one listener; an admin side has few clients. */
const MAX_CONNECTIONS = 1024;

/** nginx's status for a client that went before its answer. */
const CLIENT_GONE = 499;

/** @throws Error that names the address, when one cannot be had. */
export async function openHttp(
  listeners: readonly Listener[],
  { app, access, tls, writes }: HttpOptions,
): Promise<HttpListener[]> {
  const opened: HttpListener[] = [];
  for (const listener of listeners) {
    let listenAddress = '';
    const server = createHttpServer(
      async (request, { incoming }) => (await app()).fetch(request, { incoming, listenAddress }),
      listener,
      listener.ssl ? tls : null,
    );
    server.on('request', ({ method }: IncomingMessage, response: ServerResponse) => {
      if (!READS.has(method)) writes.track(response);
    });
    if (access !== null) logAccess(server, access);
    answerClientErrors(server);
    server.maxConnections = MAX_CONNECTIONS;
    const close = closer(server);
    await listen(server, listener);
    listenAddress = boundAddress(server);
    opened.push({
      host: listener.host,
      port: listener.port,
      address: listenAddress,
      renew(next) {
        if (listener.ssl) renewTls(server, next);
      },
      close,
    });
  }
  return opened;
}

function boundAddress(server: Server): string {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.address : '';
}

function logAccess(server: Server, access: AccessLog): void {
  type Request = IncomingMessage | Http2ServerRequest;
  type Response = (ServerResponse | Http2ServerResponse) & Counting;
  server.on('request', (request: Request, response: Response) => {
    // Taken now: a socket that is gone has no address.
    const remoteAddr = request.socket.remoteAddress ?? '';
    response.on('close', () => {
      access.write({
        remoteAddr,
        remoteUser: '',
        method: request.method ?? '',
        target: shownTarget(request.url ?? ''),
        version: versionOf(request.httpVersion),
        status: response.headersSent ? response.statusCode : CLIENT_GONE,
        bytesSent: response.bodyBytes,
        referer: request.headers.referer ?? '',
        userAgent: request.headers['user-agent'] ?? '',
        requestId: null,
      });
    });
  });
}

function versionOf(version: string): '1.0' | '1.1' | '2' {
  if (version === '2.0') return '2';
  return version === '1.0' ? '1.0' : '1.1';
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
