/**
 * Upstream servers for tests: an echo that says what it got, any `node:http` handler, and a raw one that answers
 * with scripted bytes, which is how a broken upstream is played.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { resetSocket } from '../../src/wire/reset-socket.ts';
import type { Bytes } from './raw-client.ts';

export interface Upstream extends AsyncDisposable {
  readonly port: number;
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** Connections accepted so far. */
  readonly connections: number;
  /** Connections open now. */
  readonly open: number;
  /** Requests begun so far (raw upstreams do not count them). */
  readonly requests: number;
}

/** What the echo answers, as JSON. */
export interface Echo {
  readonly method: string;
  readonly url: string;
  readonly httpVersion: string;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  /** Lower-case names; repeated ones as an array. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly bodyLength: number;
  readonly bodySha256: string;
  readonly rawTrailers: readonly string[];
  /** From 1: which connection of this upstream carried it. */
  readonly connection: number;
  readonly name: string;
}

interface Counters {
  connections: number;
  requests: number;
  readonly sockets: Set<Socket>;
  readonly numbers: WeakMap<Socket, number>;
}

async function serve(
  server: Server,
  counters: Counters,
  port: number,
  host = '127.0.0.1',
): Promise<Upstream> {
  server.on('connection', (socket: Socket) => {
    counters.connections++;
    counters.numbers.set(socket, counters.connections);
    counters.sockets.add(socket);
    socket.on('close', () => counters.sockets.delete(socket));
    socket.on('error', () => {});
  });
  server.listen({ port, host, backlog: 4096 });
  await once(server, 'listening');
  const bound = (server.address() as AddressInfo).port;
  return {
    port: bound,
    url: `http://127.0.0.1:${bound}`,
    get connections() {
      return counters.connections;
    },
    get open() {
      return counters.sockets.size;
    },
    get requests() {
      return counters.requests;
    },
    async [Symbol.asyncDispose]() {
      if (!server.listening) return;
      server.close();
      for (const socket of counters.sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}

function newCounters(): Counters {
  return { connections: 0, requests: 0, sockets: new Set(), numbers: new WeakMap() };
}

export type HttpHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  /** From 1: which connection of this upstream. */
  connection: number,
) => void | Promise<void>;

/** An upstream on `node:http`, without time-outs of its own. A handler that throws answers 500 with the error. */
export async function startHttpUpstream(
  handler: HttpHandler,
  options: { port?: number; host?: string } = {},
): Promise<Upstream> {
  const counters = newCounters();
  const server = createHttpServer({ requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 0 });
  const onRequest = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    counters.requests++;
    try {
      await handler(request, response, counters.numbers.get(request.socket) ?? 0);
    } catch (error) {
      if (!response.headersSent) response.writeHead(500);
      response.end(`upstream handler failed: ${String(error)}`);
    }
  };
  server.on('request', (request, response) => void onRequest(request, response));
  return serve(server, counters, options.port ?? 0, options.host);
}

/** An upstream that answers every request with an `Echo`. It does not keep bodies: any size will do. */
export function startEcho(options: { name?: string; port?: number } = {}): Promise<Upstream> {
  const name = options.name ?? 'echo';
  return startHttpUpstream(async (request, response, connection) => {
    const hash = createHash('sha256');
    let bodyLength = 0;
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bodyLength += chunk.length;
      hash.update(chunk);
    }
    const headers: Record<string, string | readonly string[]> = {};
    for (const [key, list] of Object.entries(request.headersDistinct)) {
      if (list !== undefined) headers[key] = list.length === 1 ? (list[0] ?? '') : list;
    }
    const echo: Echo = {
      method: request.method ?? '',
      url: request.url ?? '',
      httpVersion: request.httpVersion,
      rawHeaders: request.rawHeaders,
      headers,
      bodyLength,
      bodySha256: hash.digest('hex'),
      rawTrailers: request.rawTrailers,
      connection,
      name,
    };
    const body = JSON.stringify(echo);
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'x-upstream': name,
    });
    response.end(body);
  }, options);
}

export interface RawPeer {
  readonly socket: Socket;
  /** From 1. */
  readonly connection: number;
  /** Everything that came on this connection so far. */
  readonly received: Buffer;
  write(bytes: Bytes): void;
  end(bytes?: Bytes): void;
  /** RST. */
  reset(): void;
  /** Resolves when `count` request heads (blank lines) have come in all; rejects when the peer goes before. */
  heads(count: number): Promise<void>;
  /** Resolves when `count` bytes have come in all. */
  bytes(count: number): Promise<void>;
}

function rawPeer(socket: Socket, connection: number): RawPeer {
  let received = Buffer.alloc(0);
  const toBuffer = (bytes: Bytes): Buffer =>
    typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : Buffer.from(bytes);
  const until = (done: () => boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (done()) resolve();
        else if (socket.destroyed || socket.readableEnded) reject(new Error('the peer closed'));
      };
      socket.on('data', look).on('end', look).on('close', look);
      look();
    });
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
  });
  return {
    socket,
    connection,
    get received() {
      return received;
    },
    write: (bytes) => void socket.write(toBuffer(bytes)),
    end: (bytes) => void (bytes === undefined ? socket.end() : socket.end(toBuffer(bytes))),
    reset: () => resetSocket(socket),
    heads: (count) => until(() => received.toString('latin1').split('\r\n\r\n').length > count),
    bytes: (count) => until(() => received.length >= count),
  };
}

export type RawHandler = (peer: RawPeer) => void | Promise<void>;

export interface RawUpstream extends Upstream {
  /** One per connection, in order; a long run forgets them itself. */
  readonly peers: RawPeer[];
}

/** An upstream that does what `handler` says with each connection. A handler that rejects closes its connection. */
export async function startRawUpstream(
  handler: RawHandler,
  options: { port?: number; tls?: TlsOptions } = {},
): Promise<RawUpstream> {
  const counters = newCounters();
  const peers: RawPeer[] = [];
  // Half-open: a script decides itself when to close.
  const halfOpen = { allowHalfOpen: true, noDelay: true };
  const { tls } = options;
  const server =
    tls === undefined ? createServer(halfOpen) : createTlsServer({ ...halfOpen, ...tls } as TlsOptions);
  server.on('tlsClientError', () => {});
  const upstream = await serve(server, counters, options.port ?? 0);
  server.on(tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
    socket.on('error', () => {});
    const peer = rawPeer(socket, counters.connections);
    peers.push(peer);
    const run = async (): Promise<void> => {
      try {
        await handler(peer);
      } catch {
        socket.destroy();
      }
    };
    void run();
  });
  return Object.defineProperty(upstream, 'peers', { value: peers }) as RawUpstream;
}

/** A raw handler: the n-th request head on any connection is answered with the n-th script (the last one repeats). */
export function scripted(answers: readonly Bytes[], options: { thenClose?: boolean } = {}): RawHandler {
  let given = 0;
  return async (peer) => {
    for (let request = 1; ; request++) {
      await peer.heads(request);
      peer.write(answers[Math.min(given++, answers.length - 1)] ?? '');
      if (options.thenClose === true) return peer.end();
    }
  };
}
