/** The client's request and connection, for plugins. */
import type { Client, ClientTls, IncomingRequest, ReadHeaders } from '../../plugins/kit/exchange.ts';
import { NO_BODY, UNKNOWN_LENGTH } from '../../wire/message.ts';
import type { Exchange } from '../exchange.ts';
import { parseArgs, parseCookies } from './parse.ts';

export class ClientView implements Client {
  readonly #exchange: Exchange;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  get ip(): string {
    return this.#exchange.clientIp;
  }

  get port(): number {
    return this.#exchange.clientPort;
  }

  get socketIp(): string {
    return this.#exchange.peer.remoteAddress;
  }

  get tls(): ClientTls | null {
    return this.#exchange.peer.tls;
  }

  get trusted(): boolean {
    return this.#exchange.peer.trusted;
  }
}

export class RequestView implements IncomingRequest {
  readonly #exchange: Exchange;
  readonly headers: ReadHeaders;
  #args: ReadonlyMap<string, readonly string[]> | null = null;
  #cookies: ReadonlyMap<string, string> | null = null;

  constructor(exchange: Exchange, headers: ReadHeaders) {
    this.#exchange = exchange;
    this.headers = headers;
  }

  get method(): string {
    return this.#exchange.method;
  }

  get scheme(): 'http' | 'https' {
    return this.#exchange.scheme;
  }

  get host(): string {
    return this.#exchange.host;
  }

  get port(): number {
    return this.#exchange.port;
  }

  get path(): string {
    return this.#exchange.path;
  }

  get rawPath(): string {
    return this.#exchange.rawPath;
  }

  get query(): string {
    return this.#exchange.query;
  }

  get target(): string {
    return this.#exchange.request.target;
  }

  received(name: string): readonly string[] {
    return this.#exchange.headerValues(name.toLowerCase());
  }

  get args(): ReadonlyMap<string, readonly string[]> {
    return (this.#args ??= parseArgs(this.#exchange.query));
  }

  get cookies(): ReadonlyMap<string, string> {
    return (this.#cookies ??= parseCookies(this.#exchange.request.headers.all('cookie')));
  }

  get httpVersion(): string {
    return this.#exchange.request.version;
  }

  get bodyLength(): number | null {
    const { bodyLength } = this.#exchange.request;
    if (bodyLength === NO_BODY) return 0;
    return bodyLength === UNKNOWN_LENGTH ? null : bodyLength;
  }

  get isGrpc(): boolean {
    return this.#exchange.isGrpc;
  }

  get startedAt(): number {
    return performance.timeOrigin + this.#exchange.startedAt;
  }

  get forwarded(): IncomingRequest['forwarded'] {
    const { peer, request, scheme, hostname, rawPath } = this.#exchange;
    const said = (name: string): string | undefined =>
      peer.trusted ? request.headers.get(`x-forwarded-${name}`) : undefined;
    const port = Number(said('port') ?? Number.NaN);
    return {
      scheme: said('proto')?.toLowerCase() ?? scheme,
      host: said('host') ?? hostname,
      port: Number.isInteger(port) ? port : peer.publicPort,
      path: said('path') ?? rawPath,
      prefix: said('prefix') ?? null,
    };
  }

  capture(name: string | number): string | undefined {
    return this.#exchange.capture(String(name));
  }

  captures(): ReturnType<IncomingRequest['captures']> {
    const captures = this.#exchange.captures;
    if (captures === null) return { named: {}, unnamed: [] };
    const named: Record<string, string> = Object.create(null);
    for (const [name, value] of captures.named) named[name] = value;
    return { named, unnamed: captures.groups.slice(1) };
  }

  body(options: { readonly limit?: number } = {}): Promise<Buffer> {
    return this.#exchange.readBody(options.limit ?? DEFAULT_LIMIT);
  }
}

const DEFAULT_LIMIT = 8 * 1024 * 1024;
