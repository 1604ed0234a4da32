/**
 * The least that a proxy on `node:tls` can do, to tell what Sluice adds to it: a read is taken to be a whole request and
 * goes on as it is, an upstream's answer is taken to come in one read, nothing is checked, and nothing but the happy path
 * works. Arguments: port, upstream port, and PEM files of a certificate and its key.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';

const [port, upstreamPort] = process.argv.slice(2, 4).map(Number);
const [cert = '', key = ''] = process.argv.slice(4);

interface Upstream {
  readonly socket: Socket;
  take: ((response: Buffer) => void) | null;
}

const idle: Upstream[] = [];

function ask(request: Buffer, take: (response: Buffer) => void): void {
  const upstream = idle.pop() ?? newUpstream();
  upstream.take = take;
  upstream.socket.write(request);
}

function newUpstream(): Upstream {
  const read = (length: number, buffer: Uint8Array): boolean => {
    const { take } = upstream;
    upstream.take = null;
    idle.push(upstream);
    take?.(Buffer.from(buffer.subarray(0, length)));
    return true;
  };
  const onread = { buffer: Buffer.alloc(64 * 1024), callback: read };
  const socket = connect({ port: upstreamPort ?? 0, host: '127.0.0.1', noDelay: true, onread });
  const upstream: Upstream = { socket, take: null };
  return upstream;
}

/** What upstreams are asked, whatever HTTP/1.0 client asks here: their connections are kept. */
const KEPT = Buffer.from(`GET / HTTP/1.1\r\nHost: 127.0.0.1:${upstreamPort}\r\n\r\n`);

function serve(client: TLSSocket): void {
  client.on('error', () => {});
  client.on('data', (request: Buffer) => {
    const kept = request.includes(' HTTP/1.1\r\n');
    ask(kept ? request : KEPT, (response) => {
      if (client.destroyed) return;
      if (kept) client.write(response);
      else client.end(response);
    });
  });
}

const server = createServer(
  {
    cert: readFileSync(cert),
    key: readFileSync(key),
    minVersion: 'TLSv1.2',
    ticketKeys: randomBytes(48),
    noDelay: true,
    ALPNProtocols: ['http/1.1', 'http/1.0'],
  },
  serve,
);
server.listen(port, '127.0.0.1', () => console.log('ready'));
