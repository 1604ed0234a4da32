/**
 * The plain requests of probes on the status listener, answered without the application: a load balancer asks every
 * second of a gateway's life, and most ask nothing else of its main thread. With the application, and with what Node
 * loads for its `Request` and `Response`, a gateway takes six MiB more.
 *
 * A probe reads `/status` or `/status/ready`, names a host as programs do, and is no browser. Every other request is the
 * application's. Both give the same answers: they share what makes them, and a test compares the two.
 */
import { isLoopback } from './access/peer.ts';
import { judge } from './admin/browser-guard.ts';
import { JSON_TYPE, kongHeaders } from './admin/kong-headers.ts';
import { errorText } from './admin/error-text.ts';
import type { HttpRequest, HttpResponse } from './http-server.ts';
import type { Gateway } from './gateway.ts';
import { type NodeReply, nodeReadiness, nodeStatus } from './node-status.ts';

const TARGET = /^\/status(?<ready>\/ready)?(?:\?(?<query>[\w=&]*))?$/;
const HOST = /^(?:[a-z\d](?:[a-z\d.-]*[a-z\d])?|\[[\da-f:.]+\])(?::\d{1,5})?$/i;
/** Fields of requests that browsers make, and of those that have a body or want it in part. */
const OTHERS = ['origin', 'sec-fetch-site', 'content-length', 'transfer-encoding', 'expect'] as const;

export class Probes {
  readonly #gateway: Gateway;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  has({ method, url = '', headers }: HttpRequest): boolean {
    return (
      (method === 'GET' || method === 'HEAD') &&
      TARGET.test(url) &&
      HOST.test(hostOf(headers)) &&
      OTHERS.every((name) => headers[name] === undefined)
    );
  }

  /** @param request one that it has. */
  answer(request: HttpRequest, response: HttpResponse): void {
    const start = performance.now();
    this.#reply(request)
      .catch((error: unknown): NodeReply => {
        this.#gateway.log.status.error('error', errorText(error));
        return { status: 500, body: { message: 'An unexpected error occurred' } };
      })
      .then(({ status, body }) => {
        response.statusCode = status;
        const { settings } = this.#gateway.reloader;
        for (const [name, value] of kongHeaders(settings, performance.now() - start)) {
          response.setHeader(name, value);
        }
        const text = JSON.stringify(body);
        response.setHeader('content-type', JSON_TYPE);
        response.setHeader('content-length', Buffer.byteLength(text));
        if (request.method === 'HEAD') response.end();
        else response.end(text);
      })
      .catch(() => response.destroy());
  }

  async #reply({ url = '', headers, socket }: HttpRequest): Promise<NodeReply> {
    const loopback = isLoopback(socket.localAddress ?? '');
    const consoles = this.#gateway.reloader.settings;
    const problem = judge({ host: hostOf(headers), origin: undefined, loopback, consoles });
    if (problem !== null) return { status: 403, body: { message: problem } };
    const { ready, query = '' } = TARGET.exec(url)?.groups ?? {};
    if (ready !== undefined) return nodeReadiness(this.#gateway);
    const asked = new URLSearchParams(query);
    return nodeStatus(this.#gateway, asked.get('unit') ?? undefined, asked.get('scale') ?? undefined);
  }
}

/** A check of HTTP/1.0 need not name one. */
function hostOf(headers: HttpRequest['headers']): string {
  const authority = headers[':authority'];
  return headers.host ?? (typeof authority === 'string' ? authority : 'localhost');
}
