/** A TLS listener in front of a data plane of the same process, without the settings and certificates of a real one. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type TlsOptions, type TLSSocket } from 'node:tls';
import type { DataPlane } from '../../src/proxy/data-plane.ts';
import { ClientConnection } from '../../src/wire/http1/client-connection.ts';
import type { Peer } from '../../src/wire/message.ts';

export interface TlsFront extends AsyncDisposable {
  readonly port: number;
}

function peerOf(socket: TLSSocket, port: number): Peer {
  return {
    remoteAddress: '127.0.0.1',
    remotePort: socket.remotePort ?? 0,
    localAddress: '127.0.0.1',
    localPort: port,
    tls: {
      serverName: '',
      version: socket.getProtocol() ?? '',
      cipher: socket.getCipher().name,
      clientVerify: 'NONE',
      clientChain: () => [],
    },
    trusted: false,
    publicPort: port,
  };
}

export async function startTlsFront(plane: DataPlane, options: TlsOptions): Promise<TlsFront> {
  const sockets = new Set<TLSSocket>();
  // `allowHalfOpen` is node's, and missing in its types for TLS.
  const server = createServer({ ...options, allowHalfOpen: true } as TlsOptions, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    // oxlint-disable-next-line no-new
    new ClientConnection(socket, peerOf(socket, port), plane);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}
