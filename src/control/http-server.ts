/**
 * The servers beneath the main thread's listeners: `node:http`, `node:https`, or `node:http2` that also speaks HTTP/1.1.
 * Each counts the octets of its answers' bodies for the access log.
 */
import { type IncomingMessage, ServerResponse, createServer as createHttp } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { type Http2ServerRequest, Http2ServerResponse, createSecureServer } from 'node:http2';
import type { Server as NetServer, Socket } from 'node:net';
import type { Server as TlsServer, TLSSocket } from 'node:tls';
import { getRequestListener } from '@hono/node-server';
import type { Listener } from '../settings/settings.ts';
import { json } from './admin/resource.ts';
import { endIdleSessions } from './idle-sessions.ts';
import type { ServerTls } from './tls.ts';

const HANDSHAKE_MS = 15_000;
const IDLE_SESSION_MS = 60_000;

export type Fetch = (
  request: Request,
  env: { readonly incoming: IncomingMessage | Http2ServerRequest },
) => Response | Promise<Response>;

/** @param tls of a listener with `ssl`. */
export function createHttpServer(fetch: Fetch, { http2 }: Listener, tls: ServerTls | null): NetServer {
  const server = createServer(fetch, http2, tls);
  endIdleSessions(server, IDLE_SESSION_MS);
  if (tls?.rejectUnauthorized === true) server.prependListener('secureConnection', endWithoutCertificate);
  return server;
}

/** OpenSSL calls a resumed session verified, also one of a client that never had a certificate. */
function endWithoutCertificate(socket: TLSSocket): void {
  if (Object.keys(socket.getPeerCertificate()).length === 0) socket.destroy();
}

function createServer(fetch: Fetch, http2: boolean, tls: ServerTls | null): NetServer {
  const listener = getRequestListener(fetch, {
    overrideGlobalObjects: false,
    // A check of HTTP/1.0 need not name a host.
    hostname: 'localhost',
    // Only of a target or a host that none can be: the application answers its own errors.
    errorHandler: () => json(400, { message: 'Bad request' }),
  });
  // Their types are generic, as no class of a user's can be.
  const Http1 = CountingResponse as unknown as typeof ServerResponse;
  const Http2 = CountingHttp2Response as unknown as typeof Http2ServerResponse;
  if (tls === null) return createHttp({ ServerResponse: Http1 }, listener);
  const secure = { ...tls, handshakeTimeout: HANDSHAKE_MS };
  if (!http2) return createHttps({ ...secure, ServerResponse: Http1 }, listener);
  const responses = { Http1ServerResponse: Http1, Http2ServerResponse: Http2 };
  return createSecureServer({ ...secure, allowHTTP1: true, ...responses }, listener);
}

/** The next connections get these certificates. */
export function renewTls(server: NetServer, tls: ServerTls): void {
  (server as TlsServer).setSecureContext(tls);
}

/** Answers how to close a server together with its connections; that of HTTP/2 cannot by itself. */
export function closer(server: NetServer): () => void {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  return () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
}

export interface Counting {
  /** nginx's `$body_bytes_sent`. */
  readonly bodyBytes: number;
}

class CountingResponse extends ServerResponse implements Counting {
  bodyBytes = 0;

  override write(chunk: unknown, ...rest: unknown[]): boolean {
    this.bodyBytes += sizeOf(chunk, this.req.method);
    return super.write(chunk, ...(rest as [BufferEncoding]));
  }

  override end(chunk?: unknown, ...rest: unknown[]): this {
    this.bodyBytes += sizeOf(chunk, this.req.method);
    return super.end(chunk, ...(rest as [BufferEncoding]));
  }
}

class CountingHttp2Response extends Http2ServerResponse implements Counting {
  bodyBytes = 0;

  override write(chunk: string | Uint8Array, ...rest: unknown[]): boolean {
    this.bodyBytes += sizeOf(chunk, this.req.method);
    return super.write(chunk, ...(rest as [BufferEncoding]));
  }

  override end(chunk?: unknown, ...rest: unknown[]): this {
    this.bodyBytes += sizeOf(chunk, this.req.method);
    return super.end(chunk as string, ...(rest as [BufferEncoding]));
  }
}

function sizeOf(chunk: unknown, method: string | undefined): number {
  if (method === 'HEAD') return 0;
  if (typeof chunk === 'string') return Buffer.byteLength(chunk);
  return chunk instanceof Uint8Array ? chunk.length : 0;
}
