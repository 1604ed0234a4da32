/** An HTTPS upstream that says what it saw of the connection, and counts handshakes and resumed sessions. */
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { TLSSocket, TlsOptions } from 'node:tls';
import type { Issued } from './pki.ts';

/** What it answers, as JSON. */
export interface TlsEcho {
  readonly host: string;
  /** '' without SNI. */
  readonly serverName: string;
  readonly version: string;
  readonly resumed: boolean;
  /** Common name of the client's certificate, or ''. */
  readonly client: string;
  /** From 1: which connection carried it. */
  readonly connection: number;
}

export interface TlsUpstream extends AsyncDisposable {
  readonly port: number;
  /** TCP connections, handshakes that succeeded, those of them that resumed a session, requests. */
  readonly counts: { connections: number; handshakes: number; resumed: number; requests: number };
  /** Serves new connections with another certificate. */
  renew(options: TlsOptions): void;
}

/** A certificate with the chain that is sent behind it. */
export function pair(leaf: Issued, ...chain: readonly Issued[]): { cert: string; key: string } {
  return { cert: [leaf, ...chain].map(({ cert }) => cert).join(''), key: leaf.key };
}

export async function startTlsUpstream(options: TlsOptions, port = 0): Promise<TlsUpstream> {
  const counts = { connections: 0, handshakes: 0, resumed: 0, requests: 0 };
  const numbers = new WeakMap<Socket, number>();
  const sockets = new Set<Socket>();
  const server = createServer({ ...options, keepAliveTimeout: 0 }, (request, response) => {
    counts.requests++;
    const socket = request.socket as TLSSocket & { readonly servername?: string | false };
    const subject = socket.getPeerCertificate().subject as { CN?: string } | undefined;
    const echo: TlsEcho = {
      host: request.headers.host ?? '',
      serverName: socket.servername || '',
      version: socket.getProtocol() ?? '',
      resumed: socket.isSessionReused(),
      client: subject?.CN ?? '',
      connection: numbers.get(socket) ?? 0,
    };
    request.resume();
    response.end(JSON.stringify(echo));
  });
  server.on('connection', (socket: Socket) => {
    counts.connections++;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
  });
  server.on('secureConnection', (socket) => {
    numbers.set(socket, ++counts.handshakes);
    if (socket.isSessionReused()) counts.resumed++;
    socket.on('error', () => {});
  });
  server.on('tlsClientError', () => {});
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    counts,
    renew: (next) => server.setSecureContext(next),
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}
