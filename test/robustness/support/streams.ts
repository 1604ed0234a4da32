/**
 * An upstream whose answers do not end: server-sent events in chunks, and a WebSocket that echoes. Everything else is
 * answered with the path that arrived.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';

const EVERY_MS = 10;

export interface EchoSocket extends AsyncDisposable {
  /** Sends a text and waits for its echo; fails when the connection ends instead. */
  echo(text: string): Promise<void>;
  readonly socket: WebSocket;
}

export interface Events extends AsyncDisposable {
  /** How many came so far. */
  count(): number;
  /** None was lost, and the stream has not ended. */
  assertWhole(): void;
  /** Resolves when the stream has ended, in whichever way. */
  readonly ended: Promise<unknown>;
}

export interface Streams extends AsyncDisposable {
  readonly port: number;
  webSocket(url: string): Promise<EchoSocket>;
  events(url: string): Promise<Events>;
}

export async function startStreams(): Promise<Streams> {
  const server = createServer((request, response) => {
    if (request.headers.accept !== 'text/event-stream') {
      response.end(request.url);
      return;
    }
    let n = 0;
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const timer = setInterval(() => response.write(`data: ${n++}\n\n`), EVERY_MS);
    response.on('close', () => clearInterval(timer));
  });
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    webSocket,
    events,
    [Symbol.asyncDispose]() {
      for (const client of sockets.clients) client.terminate();
      server.close();
      server.closeAllConnections();
      return Promise.resolve();
    },
  };
}

async function webSocket(url: string): Promise<EchoSocket> {
  const socket = new WebSocket(url.replace(/^http/, 'ws'));
  await once(socket, 'open');
  return {
    socket,
    async echo(text) {
      const stop = new AbortController();
      const { signal } = stop;
      socket.send(text);
      const message = once(socket, 'message', { signal }).then(([data]) => String(data));
      const closed = once(socket, 'close', { signal }).then(() => 'the WebSocket was closed');
      const first = await Promise.race([message, closed]);
      stop.abort();
      await Promise.allSettled([message, closed]);
      assert.equal(first, text);
    },
    [Symbol.asyncDispose]() {
      socket.terminate();
      return Promise.resolve();
    },
  };
}

async function events(url: string): Promise<Events> {
  const request = get(url, { agent: false, headers: { accept: 'text/event-stream' } });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  let text = '';
  let over = false;
  response.setEncoding('utf8').on('data', (chunk: string) => void (text += chunk));
  const { promise: ended, resolve } = Promise.withResolvers<unknown>();
  const end = (reason: unknown): void => {
    over = true;
    resolve(reason);
  };
  response.on('end', () => end('end'));
  response.on('error', end);
  const complete = (): string[] => text.split('\n\n').slice(0, -1);
  return {
    ended,
    count: () => complete().length,
    assertWhole() {
      assert.equal(over, false, 'the stream goes on');
      assert.deepEqual(
        complete(),
        complete().map((_, n) => `data: ${n}`),
      );
    },
    [Symbol.asyncDispose]() {
      request.destroy();
      return Promise.resolve();
    },
  };
}
