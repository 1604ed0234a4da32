/**
 * A client that sends exactly the bytes that a test says, cut where the test says, and reads what comes back.
 * `rawRequest` is one exchange; `connectRaw` is a connection that a test holds on to.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { resetSocket } from '../../src/wire/reset-socket.ts';
import { readResponse, type RawResponse } from './response-reader.ts';

export type Bytes = string | Uint8Array;

/** Strings are Latin-1 here: one character is one byte. */
function toBuffer(bytes: Bytes): Buffer {
  return typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : Buffer.from(bytes);
}

/** How the peer ended the connection: not yet, with FIN, or with an error such as ECONNRESET. */
export type Ending = 'open' | 'end' | (string & {});

export class RawConnection implements AsyncDisposable {
  readonly socket: Socket;
  #received: Buffer[] = [];
  #unread: Buffer = Buffer.alloc(0);
  #ending: Ending = 'open';
  #waiters: (() => void)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.#received.push(chunk);
      this.#unread = Buffer.concat([this.#unread, chunk]);
      this.#wake();
    });
    socket.on('end', () => this.#finish('end'));
    socket.on('error', (error: NodeJS.ErrnoException) => this.#finish(error.code ?? error.message));
    socket.on('close', () => this.#finish('end'));
  }

  #wake(): void {
    for (const waiter of this.#waiters.splice(0)) waiter();
  }

  #finish(ending: Ending): void {
    if (this.#ending === 'open') this.#ending = ending;
    this.#wake();
  }

  /** Whether and how the peer has ended. */
  get ending(): Ending {
    return this.#ending;
  }

  /** Every byte so far. */
  get received(): Buffer {
    return Buffer.concat(this.#received);
  }

  /** What no `readResponse` has taken yet. */
  get unread(): Buffer {
    return this.#unread;
  }

  write(bytes: Bytes): void {
    this.socket.write(toBuffer(bytes));
  }

  /** Closes the sending side; answers can still be read. */
  end(): void {
    this.socket.end();
  }

  /** Resets the connection (RST). */
  reset(): void {
    resetSocket(this.socket);
  }

  async #until(done: () => boolean, what: string, timeout: number): Promise<void> {
    const limit = performance.now() + timeout;
    while (!done()) {
      const left = limit - performance.now();
      if (left <= 0) {
        const seen = this.#unread.toString('latin1', 0, 500);
        throw new Error(`no ${what} after ${timeout} ms; unread so far: ${JSON.stringify(seen)}`);
      }
      const stop = new AbortController();
      await Promise.race([
        new Promise<void>((wake) => this.#waiters.push(wake)),
        delay(left, undefined, { signal: stop.signal }).catch(() => {}),
      ]);
      stop.abort();
    }
  }

  /** The next complete response. It is an error when the peer closes before, or when it takes longer than `timeout`. */
  async readResponse(options: { method?: string; timeout?: number } = {}): Promise<RawResponse> {
    let found: ReturnType<typeof readResponse> = null;
    const look = (): boolean => {
      found = readResponse(this.#unread, { method: options.method ?? 'GET', closed: this.#ending === 'end' });
      return found !== null || this.#ending !== 'open';
    };
    await this.#until(look, 'complete response', options.timeout ?? 30_000);
    const result = found as { response: RawResponse; size: number } | null;
    if (result === null) {
      const seen = this.#unread.toString('latin1', 0, 500);
      throw new Error(
        `connection ended (${this.#ending}) without a complete response: ${JSON.stringify(seen)}`,
      );
    }
    this.#unread = this.#unread.subarray(result.size);
    return result.response;
  }

  /** Waits until at least `count` bytes are unread. */
  async readBytes(count: number, timeout = 30_000): Promise<Buffer> {
    await this.#until(
      () => this.#unread.length >= count || this.#ending !== 'open',
      `${count} bytes`,
      timeout,
    );
    const bytes = this.#unread.subarray(0, count);
    this.#unread = this.#unread.subarray(bytes.length);
    return bytes;
  }

  /** Waits until the peer has closed, and says how. */
  async closed(timeout = 30_000): Promise<Ending> {
    await this.#until(() => this.#ending !== 'open', 'close by the peer', timeout);
    return this.#ending;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.socket.closed) return;
    this.socket.destroy();
    await once(this.socket, 'close');
  }
}

/** A connection to a port of this machine, or to a unix socket's path. */
export async function connectRaw(to: number | string, host = '127.0.0.1'): Promise<RawConnection> {
  const socket = typeof to === 'number' ? connect({ port: to, host }) : connect({ path: to });
  await once(socket, 'connect');
  return new RawConnection(socket);
}

export interface RawRequestOptions {
  /** Close the sending side after the last byte. */
  readonly halfClose?: boolean;
  /** Milliseconds for the whole exchange; 30,000 unless said. */
  readonly timeout?: number;
  /** Read this many responses (1 unless said), or everything until the peer closes. */
  readonly until?: number | 'close';
  /** Milliseconds between two chunks of an array; 5 unless said, so that they arrive apart. */
  readonly pause?: number;
}

export interface RawResult {
  /** All bytes that came back. */
  readonly bytes: Buffer;
  readonly text: string;
  readonly responses: readonly RawResponse[];
  readonly ending: Ending;
}

/** Methods of the requests in `text`, roughly: enough to know which answers have no body. */
function methodsOf(text: string): string[] {
  return [...text.matchAll(/^([A-Z]+) \S+ HTTP\/\d\.\d\r?$/gm)].map((match) => match[1] ?? 'GET');
}

function responsesIn(bytes: Buffer, methods: readonly string[], closed: boolean): RawResponse[] {
  const responses: RawResponse[] = [];
  let rest = bytes;
  while (rest.length > 0) {
    const found = readResponse(rest, { method: methods[responses.length] ?? 'GET', closed });
    if (found === null) break;
    responses.push(found.response);
    rest = rest.subarray(found.size);
  }
  return responses;
}

/**
 * Sends bytes on a connection of its own and reads until a complete response came (or `until` of them), or the peer
 * closed, whichever is first. A peer that does neither in time is an error.
 */
export async function rawRequest(
  to: number | string,
  bytes: Bytes | readonly Bytes[],
  options: RawRequestOptions = {},
): Promise<RawResult> {
  const { until = 1, timeout = 30_000, pause = 5 } = options;
  const chunks = (Array.isArray(bytes) ? bytes : [bytes as Bytes]).map(toBuffer);
  const methods = methodsOf(Buffer.concat(chunks).toString('latin1'));
  await using connection = await connectRaw(to);
  for (const [index, chunk] of chunks.entries()) {
    if (index > 0) await delay(pause);
    if (connection.ending !== 'open') break;
    connection.write(chunk);
  }
  if (options.halfClose === true) connection.end();
  if (until === 'close') {
    await connection.closed(timeout);
  } else {
    const limit = performance.now() + timeout;
    for (let count = 0; count < until; count++) {
      const method = methods[count] ?? 'GET';
      try {
        await connection.readResponse({ method, timeout: Math.max(1, limit - performance.now()) });
      } catch (error) {
        if (connection.ending === 'open') throw error;
        break;
      }
    }
  }
  const received = connection.received;
  const responses = responsesIn(received, methods, connection.ending === 'end');
  return { bytes: received, text: received.toString('latin1'), responses, ending: connection.ending };
}
