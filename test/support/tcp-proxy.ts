/** A TCP relay that can be cut: silently, as a network does that drops packets, or with resets. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { resetSocket } from '../../src/wire/reset-socket.ts';

/** What becomes of bytes that a client sent: passed on, kept from the server, or passed on without an answer. */
export type Verdict = 'pass' | 'drop' | 'mute';

export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** Bytes stop in both directions. Connections stay open, and new ones are accepted. */
  cut(): void;
  /** Bytes go on where they stopped. */
  mend(): void;
  /** Ends every connection with a reset. */
  reset(): void;
}

/** @param judge looks at what clients send. After anything but `pass`, the client is reset. */
export async function startTcpProxy(
  target: number,
  judge: (chunk: Buffer) => Verdict = () => 'pass',
): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let isCut = false;
  const relay = (from: Socket, to: Socket): void => {
    sockets.add(from);
    from.on('data', (chunk) => void to.write(chunk));
    from.on('end', () => to.end());
    from.on('error', () => undefined);
    from.on('close', () => {
      sockets.delete(from);
      if (!isCut) to.destroy();
    });
    if (isCut) from.pause();
  };
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true });
    client.prependListener('data', (chunk: Buffer) => {
      const verdict = judge(chunk);
      if (verdict === 'pass') return;
      client.removeAllListeners('data');
      // What was passed on is seen by the server before its connection ends.
      if (verdict === 'mute') upstream.write(chunk);
      upstream.removeAllListeners('data').resume();
      client.removeAllListeners('close');
      resetSocket(client);
      sockets.delete(client);
      upstream.end();
    });
    relay(client, upstream);
    relay(upstream, client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const drop = (): void => {
    for (const socket of sockets) resetSocket(socket);
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut() {
      isCut = true;
      for (const socket of sockets) socket.pause();
    },
    mend() {
      isCut = false;
      for (const socket of sockets) socket.resume();
    },
    reset: drop,
    async [Symbol.asyncDispose]() {
      drop();
      server.close();
      await once(server, 'close');
    },
  };
}
