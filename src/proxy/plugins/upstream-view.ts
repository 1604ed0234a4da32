/** The upstream's side of an exchange, for plugins. */
import type {
  EditHeaders,
  ReadHeaders,
  UpstreamRequest,
  UpstreamResponse,
} from '../../plugins/kit/exchange.ts';
import { FlatHeaders } from '../../wire/flat-headers.ts';
import type { Exchange } from '../exchange.ts';
import { upstreamTarget } from '../upstream-head.ts';
import { UpstreamEdits } from './edits.ts';
import { check, HeaderView } from './headers.ts';

const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** What may stand in a request target as it is (RFC 9112 §3.2): no space, no control character, Latin-1. */
const TARGET = /^[\u0021-\u007e\u0080-\u00ff]*$/;

export class UpstreamRequestView implements UpstreamRequest {
  readonly #exchange: Exchange;
  readonly headers: EditHeaders;

  constructor(exchange: Exchange, headers: EditHeaders) {
    this.#exchange = exchange;
    this.headers = headers;
  }

  get #edits(): UpstreamEdits {
    return (this.#exchange.edits ??= new UpstreamEdits());
  }

  get method(): string {
    return this.#exchange.edits?.method ?? this.#exchange.method;
  }

  set method(method: string) {
    if (!METHOD.test(method)) throw new TypeError(`'${method}' is not a method`);
    this.#edits.method = method;
  }

  get path(): string {
    const target = upstreamTarget(this.#exchange);
    const mark = target.indexOf('?');
    return mark < 0 ? target : target.slice(0, mark);
  }

  set path(path: string) {
    if (!path.startsWith('/') || !TARGET.test(path) || /[?#]/.test(path)) {
      throw new TypeError(`'${path}' is not a path: it begins with / and has no ?, # or space`);
    }
    this.#edits.path = path;
  }

  get query(): string {
    return this.#exchange.edits?.query ?? this.#exchange.query;
  }

  set query(query: string) {
    if (!TARGET.test(query) || query.includes('#')) throw new TypeError('a query has no space and no #');
    this.#edits.query = query;
  }

  get host(): string {
    return this.#exchange.edits?.host ?? this.#exchange.route?.service?.hostHeader ?? '';
  }

  set host(host: string) {
    check('Host', host);
    this.#edits.host = host;
  }

  setBody(body: Uint8Array | string): void {
    this.#exchange.replaceBody(Buffer.from(body as Uint8Array));
  }

  setTarget(host: string, port: number): void {
    if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new RangeError(`${port} is not a port`);
    this.#edits.target = { host, port };
  }

  setScheme(scheme: 'http' | 'https'): void {
    this.#edits.tls = scheme === 'https';
  }

  setTimeouts(timeouts: {
    readonly connect?: number;
    readonly write?: number;
    readonly read?: number;
  }): void {
    this.#edits.timeouts = { ...this.#edits.timeouts, ...timeouts };
  }

  setRetries(retries: number): void {
    if (!Number.isInteger(retries) || retries < 0)
      throw new RangeError(`${retries} is not a number of retries`);
    this.#edits.retries = retries;
  }
}

const NONE = new HeaderView(new FlatHeaders());

export class UpstreamResponseView implements UpstreamResponse {
  readonly #exchange: Exchange;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  get status(): number {
    return this.#exchange.upstreamStatus;
  }

  get headers(): ReadHeaders {
    const { upstreamHeaders } = this.#exchange;
    return upstreamHeaders === null ? NONE : new HeaderView(upstreamHeaders);
  }
}
