/**
 * An upstream in a process of its own that upgrades every WebSocket handshake and sends back what comes; other requests
 * get an empty answer. Frames are not looked into, as a relay does not either.
 */
import { createServer, type AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { Child } from '../../test/support/child.ts';
import { waitFor } from '../../test/support/wait.ts';
import { CORES, pinned } from './cores.ts';

const SWITCH = [
  'HTTP/1.1 101 Switching Protocols',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
  '',
  '',
].join('\r\n');
const EMPTY = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n';

/** What a browser sends to open a WebSocket. */
export const HANDSHAKE = [
  'GET /socket HTTP/1.1',
  'Host: api.example.com',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Origin: https://app.example.com',
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
  'Accept-Language: en-US,en;q=0.9',
  'Cookie: session=0123456789abcdef0123456789abcdef; theme=dark',
  '',
  '',
].join('\r\n');

export interface WebSocketUpstream extends AsyncDisposable {
  readonly port: number;
}

export async function startWebSocketUpstream(): Promise<WebSocketUpstream> {
  const words = [process.execPath, fileURLToPath(import.meta.url), 'serve'];
  const child = new Child(...pinned(CORES.upstream, words));
  await waitFor(() => child.output.startsWith('port '), { what: 'the WebSocket upstream' });
  return {
    port: Number(child.output.slice(5)),
    async [Symbol.asyncDispose]() {
      await child.stop('SIGTERM');
    },
  };
}

function serve(): void {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.once('data', (head: Buffer) => {
      if (!/^upgrade:/im.test(head.toString('latin1'))) {
        socket.end(EMPTY);
        return;
      }
      socket.write(SWITCH);
      socket.on('data', (chunk: Buffer) => socket.write(chunk));
    });
    socket.on('error', () => socket.destroy());
  });
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () =>
    process.stdout.write(`port ${(server.address() as AddressInfo).port}\n`),
  );
}

if (process.argv[2] === 'serve') serve();
