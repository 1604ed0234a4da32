/** Keep-alive connections that have carried one request and then stay silent. They are held by this process. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const REQUEST = 'GET /idle HTTP/1.1\r\nHost: api.example.com\r\n\r\n';
/** Opened at a time, so that no accept queue overflows. */
const BATCH = 100;

async function open(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => {});
  socket.write(REQUEST);
  // The small answer comes in one piece.
  await once(socket, 'data');
  socket.resume();
  return socket;
}

export interface IdleConnections extends AsyncDisposable {
  /** How many are still open. */
  readonly alive: number;
}

export async function openIdle(port: number, count: number): Promise<IdleConnections> {
  const sockets: Socket[] = [];
  while (sockets.length < count) {
    const batch = Math.min(BATCH, count - sockets.length);
    sockets.push(...(await Promise.all(Array.from({ length: batch }, () => open(port)))));
  }
  return {
    get alive() {
      return sockets.filter((socket) => !socket.destroyed).length;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      const closing = sockets.filter((socket) => !socket.closed);
      await Promise.all(closing.map((socket) => once(socket, 'close')));
    },
  };
}
