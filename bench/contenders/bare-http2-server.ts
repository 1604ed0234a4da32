/**
 * The least that a proxy on `node:http2` can do, to tell what Sluice adds to it: fields go on as they are, an upstream's
 * answer is taken to come in one read, nothing is checked, and nothing but the happy path works. Arguments: port,
 * upstream port, and PEM files of a certificate and its key for TLS.
 */
import { readFileSync } from 'node:fs';
import { performServerHandshake, type ServerHttp2Stream } from 'node:http2';
import { createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { bareUpstream } from './bare-upstream.ts';

const [port, upstreamPort] = process.argv.slice(2, 4).map(Number);
const [cert = '', key = ''] = process.argv.slice(4);

const ask = bareUpstream(upstreamPort ?? 0);

function onStream(stream: ServerHttp2Stream, raw: readonly string[]): void {
  stream.on('error', () => {});
  let path = '/';
  let fields = '';
  for (let at = 0; at < raw.length; at += 2) {
    if (raw[at] === ':path') path = raw[at + 1] ?? '/';
    else if (raw[at]?.startsWith(':') !== true) fields += `${raw[at]}: ${raw[at + 1]}\r\n`;
  }
  ask(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${upstreamPort}\r\n${fields}\r\n`, (response) => {
    if (stream.destroyed) return;
    const end = response.indexOf('\r\n\r\n');
    const lines = response.toString('latin1', 0, end).split('\r\n').slice(1);
    const head = [':status', '200'];
    for (const line of lines) {
      const colon = line.indexOf(': ');
      const name = line.slice(0, colon);
      if (name !== 'Connection') head.push(name, line.slice(colon + 2));
    }
    stream.respond(head);
    stream.end(response.subarray(end + 4));
  });
}

function serve(socket: Socket): void {
  const session = performServerHandshake(socket, { strictSingleValueFields: false });
  session.on('error', () => {});
  session.on('stream', (stream: ServerHttp2Stream, _: object, __: number, raw: readonly string[]) =>
    onStream(stream, raw),
  );
}

const server =
  cert === ''
    ? createServer({ noDelay: true }, serve)
    : createTlsServer({ cert: readFileSync(cert), key: readFileSync(key), ALPNProtocols: ['h2'] }, serve);
server.listen(port, '127.0.0.1', () => console.log('ready'));
