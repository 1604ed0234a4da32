/** An upstream that keeps what it was asked, and says it. */
import { once } from 'node:events';
import { type IncomingHttpHeaders, type RequestListener, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface EchoedRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface EchoUpstream {
  readonly url: string;
  readonly requests: readonly EchoedRequest[];
  close(): void;
}

/** Requests that are kept. */
const KEPT = 1000;

/** @param handler answers in place of the echo, which answers the request as JSON. */
export async function startEcho(handler?: RequestListener): Promise<EchoUpstream> {
  const requests: EchoedRequest[] = [];
  const server = createServer((request, response) => {
    if (handler !== undefined) return handler(request, response);
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const echoed = { method, url, headers, body: Buffer.concat(chunks).toString() };
      if (requests.length < KEPT) requests.push(echoed);
      response.setHeader('Content-Type', 'application/json');
      response.end(JSON.stringify(echoed));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
