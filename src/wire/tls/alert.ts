/** A fatal TLS alert before there is a session (RFC 8446 §6): what a client is told of a connection that nobody will serve. */
import type { Socket } from 'node:net';

export const ALERT = {
  handshakeFailure: 40,
  decodeError: 50,
  internalError: 80,
  unrecognizedName: 112,
} as const;

const FATAL = 2;

export function endWithAlert(socket: Socket, description: number): void {
  // What still comes is nobody's; a client that does not close is closed.
  socket.on('error', () => undefined);
  socket.resume();
  socket.end(Buffer.from([21, 3, 3, 0, 2, FATAL, description]));
  socket.destroySoon();
}
