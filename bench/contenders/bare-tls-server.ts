/**
 * The least that a proxy on `node:tls` can do, to tell what Sluice adds to it: a read is taken to be a whole request and
 * goes on as it is, an upstream's answer is taken to come in one read, nothing is checked, and nothing but the happy path
 * works. Arguments: port, upstream port, and PEM files of a certificate and its key.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type TLSSocket } from 'node:tls';
import { bareUpstream } from './bare-upstream.ts';

const [port, upstreamPort] = process.argv.slice(2, 4).map(Number);
const [cert = '', key = ''] = process.argv.slice(4);

const ask = bareUpstream(upstreamPort ?? 0);

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
