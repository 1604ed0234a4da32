/** An upstream on `node:http2` without TLS: each stream goes to a handler, and what became of it is remembered. */
import { once } from 'node:events';
import * as http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface Http2Upstream extends AsyncDisposable {
  readonly port: number;
  /** Connections accepted so far. */
  readonly connections: number;
  /** Sessions that are open, in the order in which they came. */
  readonly sessions: ReadonlySet<http2.ServerHttp2Session>;
  /** Streams in the order in which they came. */
  readonly streams: readonly http2.ServerHttp2Stream[];
  /** PINGs received. */
  readonly pings: number;
}

export type StreamHandler = (
  stream: http2.ServerHttp2Stream,
  headers: http2.IncomingHttpHeaders,
  /** From 1: which stream of this upstream. */
  number: number,
) => unknown;

export async function startHttp2Upstream(
  handler: StreamHandler,
  options: http2.ServerOptions & { port?: number; host?: string } = {},
): Promise<Http2Upstream> {
  const server = http2.createServer(options);
  const sessions = new Set<http2.ServerHttp2Session>();
  const streams: http2.ServerHttp2Stream[] = [];
  let connections = 0;
  let pings = 0;
  server.on('session', (session) => {
    connections++;
    sessions.add(session);
    session.on('ping', () => pings++);
    session.on('error', () => {});
    session.on('close', () => sessions.delete(session));
  });
  server.on('sessionError', () => {});
  server.on('stream', (stream: http2.ServerHttp2Stream, headers) => {
    stream.on('error', () => {});
    streams.push(stream);
    void handler(stream, headers, streams.length);
  });
  server.listen(options.port ?? 0, options.host ?? '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    sessions,
    streams,
    get connections() {
      return connections;
    },
    get pings() {
      return pings;
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      for (const session of sessions) session.destroy();
      await closed;
    },
  };
}

/** Answers with what it got. */
export async function echo(stream: http2.ServerHttp2Stream): Promise<void> {
  const body = await text(stream);
  stream.respond({ ':status': 200, 'content-type': 'text/plain' });
  stream.end(body);
}
