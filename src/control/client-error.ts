/** What is no request, or not in time: answered with an object as everything else, where `node:http` would say nothing. */
import type { ServerResponse } from 'node:http';
import type { Server, Socket } from 'node:net';

const STATUSES: Readonly<Record<string, readonly [status: string, message: string]>> = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'Request header or cookie too large'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ['413 Content Too Large', 'Payload too large'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'Request timeout'],
};
const OTHER = ['400 Bad Request', 'Bad request'] as const;

/** Of the parser or its clock. Others are of the connection (a handshake that fails, or does not end): nobody could read. */
const READABLE = /^HPE_|^ERR_HTTP_REQUEST_TIMEOUT$/;

export function answerClientErrors(server: Server): void {
  /** The answer that is under way on a connection: nothing may be written into it. */
  const answers = new WeakMap<Socket, ServerResponse>();
  server.on('request', ({ socket }: { socket: Socket }, response: ServerResponse) => {
    answers.set(socket, response);
    response.on('close', () => answers.delete(socket));
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    const { code = '' } = error;
    if (!socket.writable || !READABLE.test(code) || answers.get(socket)?.headersSent === true) {
      socket.destroy();
      return;
    }
    const [status, message] = STATUSES[code] ?? OTHER;
    const body = JSON.stringify({ message });
    const fields = `Content-Type: application/json; charset=utf-8\r\nContent-Length: ${body.length}\r\nConnection: close`;
    socket.end(`HTTP/1.1 ${status}\r\n${fields}\r\n\r\n${body}`, () => socket.destroy());
  });
}
