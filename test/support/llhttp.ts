/**
 * Node's own parser (llhttp) through Node's public API, as an oracle: a server fed from memory for requests, a client
 * for responses. It answers what Node read of the same bytes, in the terms of `wire-reader.ts`.
 */
import { createServer, request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';

export interface OracleMessage {
  /** Method and target, or status and reason. */
  readonly start: readonly [string, string];
  readonly version: string;
  /** Names and values in turn. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  readonly trailers: readonly string[];
  readonly keepAlive: boolean;
}

export interface OracleReading {
  /** Complete messages. */
  readonly messages: readonly OracleMessage[];
  /** llhttp's code, when it refused something. */
  readonly error: string | null;
}

class Pipe extends Duplex {
  override _read(): void {}

  override _write(_chunk: Buffer, _encoding: string, done: () => void): void {
    done();
  }

  // What node:http calls on a socket.
  setTimeout(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Collected {
  readonly messages: OracleMessage[];
  pending: number;
}

function collect(message: IncomingMessage, collected: Collected, keepAlive: boolean): void {
  const body: Buffer[] = [];
  collected.pending++;
  message.on('data', (chunk: Buffer) => body.push(chunk));
  message.on('error', () => {});
  message.on('end', () => {
    collected.pending--;
    const start =
      message.statusCode === null || message.statusCode === undefined
        ? ([message.method ?? '', message.url ?? ''] as const)
        : ([String(message.statusCode), message.statusMessage ?? ''] as const);
    collected.messages.push({
      start,
      version: message.httpVersion,
      rawHeaders: message.rawHeaders,
      body: Buffer.concat(body),
      trailers: message.rawTrailers,
      keepAlive,
    });
  });
}

const server = createServer({
  requireHostHeader: false,
  joinDuplicateHeaders: false,
  keepAliveTimeout: 0,
  headersTimeout: 0,
  requestTimeout: 0,
  maxHeaderSize: 1024 * 1024,
});
server.maxHeadersCount = 0;

const bySocket = new WeakMap<Duplex, Collected & { error: string | null }>();

server.on('request', (message, response) => {
  const collected = bySocket.get(message.socket);
  if (collected === undefined) return;
  collect(message, collected, response.shouldKeepAlive);
  message.on('end', () => response.end());
});
for (const event of ['checkContinue', 'checkExpectation'] as const) {
  server.on(event, (message, response) => server.emit('request', message, response));
}
// An upgrade takes the connection away from the parser; the message is complete without a body.
server.on('upgrade', (_message: IncomingMessage, socket: Duplex) => {
  const collected = bySocket.get(socket);
  if (collected === undefined) return;
  collected.error = 'upgrade';
});
server.on('connect', (_message: IncomingMessage, socket: Duplex) => {
  const collected = bySocket.get(socket);
  if (collected !== undefined) collected.error = 'connect';
});
// The socket stays: what was complete before the fault is still delivered.
server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
  const collected = bySocket.get(socket);
  if (collected !== undefined) collected.error ??= error.code ?? error.message;
});

/** Reads requests out of `pieces`. */
export async function oracleRequests(pieces: readonly Buffer[]): Promise<OracleReading> {
  const pipe = new Pipe({ allowHalfOpen: true });
  const collected = { messages: [], pending: 0, error: null };
  bySocket.set(pipe, collected);
  pipe.on('error', () => {});
  server.emit('connection', pipe);
  for (const piece of pieces) if (piece.length > 0) pipe.push(piece);
  await settle(collected);
  const { messages, error } = collected;
  pipe.destroy();
  return { messages, error };
}

/** Waits until nothing more happens for some turns of the loop: all of it is in memory. */
async function settle(collected: Collected): Promise<void> {
  for (let quiet = 0, seen = -1; quiet < 4;) {
    await turn();
    const now = collected.messages.length * 2 + collected.pending;
    quiet = now === seen ? quiet + 1 : 0;
    seen = now;
  }
}

/** Reads one final response to `method` out of `pieces`; the peer then closes. */
export async function oracleResponse(pieces: readonly Buffer[], method = 'GET'): Promise<OracleReading> {
  const pipe = new Pipe({ allowHalfOpen: true });
  const collected: Collected = { messages: [], pending: 0 };
  let error: string | null = null;
  const sent = request({
    method,
    createConnection: () => pipe,
    maxHeaderSize: 1024 * 1024,
    headers: { host: 'a.test' },
  });
  sent.maxHeadersCount = 0;
  sent.on('error', (problem: NodeJS.ErrnoException) => (error ??= problem.code ?? problem.message));
  sent.on('response', (message) => collect(message, collected, sent.shouldKeepAlive));
  sent.on('upgrade', () => (error ??= 'upgrade'));
  sent.end();
  await turn();
  for (const piece of pieces) if (piece.length > 0 && !pipe.destroyed) pipe.push(piece);
  if (!pipe.destroyed) pipe.push(null);
  await settle(collected);
  pipe.destroy();
  return { messages: collected.messages, error };
}
