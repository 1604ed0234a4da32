/**
 * The servers beneath the main thread's listeners: `node:http`, `node:https`, or `node:http2` that also speaks HTTP/1.1.
 * Each counts the octets of its answers' bodies for the access log. The modules are asked for without `import`, and only
 * those that a listener needs (docs/adr/0015-lazy-builtins.md).
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Server as NetServer, Socket } from 'node:net';
import type { Server as TlsServer, TLSSocket } from 'node:tls';
import type { Listener } from '../settings/settings.ts';
import { endIdleSessions } from './idle-sessions.ts';
import type { ServerTls } from './tls.ts';

const HANDSHAKE_MS = 15_000;
const IDLE_SESSION_MS = 60_000;

export type HttpRequest = IncomingMessage | Http2ServerRequest;
export type HttpResponse = (ServerResponse | Http2ServerResponse) & Counting;
export type Answer = (request: HttpRequest, response: HttpResponse) => void;

/** @param tls of a listener with `ssl`. */
export function createHttpServer(answer: Answer, { http2 }: Listener, tls: ServerTls | null): NetServer {
  const server = createServer(answer, http2, tls);
  endIdleSessions(server, IDLE_SESSION_MS);
  if (tls?.rejectUnauthorized === true) server.prependListener('secureConnection', endWithoutCertificate);
  return server;
}

/** OpenSSL calls a resumed session verified, also one of a client that never had a certificate. */
function endWithoutCertificate(socket: TLSSocket): void {
  if (Object.keys(socket.getPeerCertificate()).length === 0) socket.destroy();
}

function createServer(answer: Answer, http2: boolean, tls: ServerTls | null): NetServer {
  const http = process.getBuiltinModule('node:http');
  const Http1 = countingResponse(http.ServerResponse);
  // The class that the server makes is the counting one.
  const listener = answer as (request: HttpRequest, response: ServerResponse | Http2ServerResponse) => void;
  if (tls === null) return http.createServer({ ServerResponse: Http1 }, listener);
  const secure = { ...tls, handshakeTimeout: HANDSHAKE_MS };
  if (!http2) {
    return process
      .getBuiltinModule('node:https')
      .createServer({ ...secure, ServerResponse: Http1 }, listener);
  }
  const { createSecureServer, Http2ServerResponse: Base } = process.getBuiltinModule('node:http2');
  const responses = { Http1ServerResponse: Http1, Http2ServerResponse: countingHttp2Response(Base) };
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

function countingResponse(Base: typeof ServerResponse): typeof ServerResponse {
  class CountingResponse extends Base implements Counting {
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
  // Its type is generic, as no class of a user's can be.
  return CountingResponse as unknown as typeof ServerResponse;
}

function countingHttp2Response(Base: typeof Http2ServerResponse): typeof Http2ServerResponse {
  class CountingResponse extends Base implements Counting {
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
  return CountingResponse as unknown as typeof Http2ServerResponse;
}

function sizeOf(chunk: unknown, method: string | undefined): number {
  if (method === 'HEAD') return 0;
  if (typeof chunk === 'string') return Buffer.byteLength(chunk);
  return chunk instanceof Uint8Array ? chunk.length : 0;
}
