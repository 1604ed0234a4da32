/** A data plane in the test's process whose listener speaks HTTP/2 without TLS, and a real client for it. */
import {
  connect,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { once } from 'node:events';
import type { SecureContextOptions } from 'node:tls';
import { type PlaneOptions, startPlane, type TestPlane } from './data-plane.ts';
import { freePort } from './ports.ts';

export async function startHttp2Plane(upstreamPort: number, options: PlaneOptions = {}): Promise<TestPlane> {
  const listen = { proxy_listen: `127.0.0.1:${await freePort()} http2` };
  return startPlane(upstreamPort, { ...options, settings: { ...listen, ...options.settings } });
}

export interface Http2Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | number | undefined>>;
  readonly body: Buffer;
  readonly trailers: Readonly<Record<string, string | string[] | undefined>> | null;
  /** Interim responses. */
  readonly informed: readonly number[];
}

/** `node:http2` as a client, for one connection. */
export class Http2Client implements AsyncDisposable {
  readonly session: ClientHttp2Session;
  goaways = 0;

  /** @param tls its part of TLS; null: there is none. */
  constructor(port: number, tls: SecureContextOptions | null = null) {
    this.session =
      tls === null
        ? connect(`http://127.0.0.1:${port}`)
        : connect(`https://127.0.0.1:${port}`, { ...tls, rejectUnauthorized: false });
    this.session.on('error', () => {});
    this.session.on('goaway', () => this.goaways++);
  }

  /** Starts a request; its body and trailers are the caller's. */
  open(
    headers: OutgoingHttpHeaders,
    options: { endStream?: boolean; waitForTrailers?: boolean } = {},
  ): ClientHttp2Stream {
    const stream = this.session.request(headers, { endStream: true, ...options });
    stream.on('error', () => {});
    return stream;
  }

  async ask(headers: OutgoingHttpHeaders, body: string | Buffer | null = null): Promise<Http2Answer> {
    const stream = this.open(headers, { endStream: body === null });
    if (body !== null) stream.end(body);
    return answerOf(stream);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.session.destroyed) return;
    this.session.destroy();
    await once(this.session, 'close');
  }
}

/** The whole answer to a request; rejects when its stream is reset. */
export function answerOf(stream: ClientHttp2Stream): Promise<Http2Answer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const informed: number[] = [];
    let headers: Http2Answer['headers'] = {};
    let trailers: Http2Answer['trailers'] = null;
    stream.on('headers', (fields) => informed.push(Number(fields[':status'])));
    stream.on('response', (fields) => (headers = fields));
    stream.on('trailers', (fields) => (trailers = fields));
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('close', () => {
      if (stream.rstCode !== 0) return reject(new Error(`reset ${stream.rstCode}`));
      const status = Number(headers[':status']);
      resolve({ status, headers, body: Buffer.concat(chunks), trailers, informed });
    });
  });
}
