/**
 * The least that a gRPC proxy on `node:http2` can do, to tell what Sluice adds to it: fields go on as they are, one session
 * to the upstream for each of ours, nothing is checked, and nothing but the happy path works. Arguments: port, upstream
 * port.
 */
import { connect, createServer } from 'node:http2';
import type { ClientHttp2Session, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';

const [port, upstreamPort] = process.argv.slice(2, 4).map(Number);

function forward(upstream: ClientHttp2Session, stream: ServerHttp2Stream, raw: readonly string[]): void {
  const fields = raw.map((text, at) => (raw[at - 1] === ':authority' ? `127.0.0.1:${upstreamPort}` : text));
  const call = upstream.request(fields, { endStream: false });
  let trailers: IncomingHttpHeaders = {};
  stream.on('error', () => {});
  stream.on('data', (chunk: Buffer) => call.write(chunk));
  stream.on('end', () => call.end());
  stream.on('wantTrailers', () => {
    if (!stream.destroyed) stream.sendTrailers({ ...trailers });
  });
  call.on('error', () => {});
  call.on('response', (_: object, __: number, head: readonly string[]) => {
    if (!stream.destroyed) stream.respond(head, { waitForTrailers: true });
  });
  call.on('data', (chunk: Buffer) => stream.write(chunk));
  call.on('trailers', (received: IncomingHttpHeaders) => (trailers = received));
  call.on('end', () => stream.end());
}

const server = createServer({ strictSingleValueFields: false } as object);
server.on('session', (session) => {
  const upstream = connect(`http://127.0.0.1:${upstreamPort}`);
  upstream.on('error', () => {});
  session.on('close', () => upstream.close());
  session.on('stream', (stream: ServerHttp2Stream, _: object, __: number, raw: readonly string[]) =>
    forward(upstream, stream, raw),
  );
});
server.listen(port, '127.0.0.1', () => console.log('ready'));
