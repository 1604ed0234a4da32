/**
 * Ends a connection with RST. Node's `resetAndDestroy` does not survive a shutdown that is under way: libuv refuses
 * (EINVAL), the socket is told an error, and its handle is neither closed nor ever closable again: the descriptor
 * leaks, the peer sees a FIN and no more, and a thread that ends later waits for the handle for ever, at full speed.
 */
import type { Socket } from 'node:net';

/** Where the sending side is just being ended, the connection is closed as it would have been anyway. */
export function resetSocket(socket: Socket): void {
  if (socket.writableEnded && !socket.writableFinished) socket.destroy();
  else socket.resetAndDestroy();
}
