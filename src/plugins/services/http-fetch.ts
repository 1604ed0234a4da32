/**
 * HTTP for plugins: pooled connections of the worker, names through the gateway's own resolver, every answer bounded.
 *
 * It is `node:http` and `node:https` with an agent each, loaded when a plugin first asks. A connection goes to an address
 * that the resolver names, so that the pool follows the names; the next address is tried when one takes no connection.
 * A kept connection that its server closed just then is replaced by a new one where the request may be sent twice.
 * Redirects are answered like everything else: who follows one must know where it leads. Errors name the origin, since
 * paths and queries may hold secrets.
 */
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import type { ResolvedAddress, Resolver } from '../../balancer/resolver/resolver.ts';
import { FetchError } from '../kit/fetch-error.ts';
import type { FetchOptions, FetchResponse } from '../kit/services.ts';
import { HttpAgents, type TrustedFiles } from './http-agents.ts';

export interface HttpFetchOptions {
  readonly resolver: Pick<Resolver, 'peek' | 'resolve'>;
  /** `lua_ssl_trusted_certificate`. */
  readonly trusted: TrustedFiles;
}

const TIMEOUT_MS = 10_000;
const MAX_BYTES = 1024 * 1024;
/** Exchanges of a worker at once. */
const MAX_EXCHANGES = 1024;
/** Addresses of one name that are tried. */
const MAX_TRIES = 3;
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']);
const CONNECT_FAILURES: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'EHOSTDOWN',
]);

interface Target {
  readonly url: URL;
  readonly host: string;
  readonly port: number;
}

export class HttpFetch {
  readonly #resolver: HttpFetchOptions['resolver'];
  readonly #agents: HttpAgents;
  #running = 0;

  constructor({ resolver, trusted }: HttpFetchOptions) {
    this.#resolver = resolver;
    this.#agents = new HttpAgents(trusted);
  }

  /** @throws FetchError, TypeError (rejections) */
  async fetch(url: string | URL, options: FetchOptions = {}): Promise<FetchResponse> {
    const target = targetOf(url);
    if (this.#running >= MAX_EXCHANGES) throw new FetchError('busy', target.url.origin, 'too many exchanges');
    this.#running++;
    const deadline = new Deadline(target.url.origin, options);
    try {
      return await deadline.race(this.#tries(target, options, deadline));
    } finally {
      deadline.end();
      this.#running--;
    }
  }

  close(): void {
    this.#agents.close();
  }

  async #tries(target: Target, options: FetchOptions, deadline: Deadline): Promise<FetchResponse> {
    const name = this.#resolver.peek(target.host) ?? (await this.#resolve(target));
    const twice = options.idempotent ?? IDEMPOTENT.has((options.method ?? 'GET').toUpperCase());
    const most = Math.min(MAX_TRIES, name.addresses.length);
    let again = twice;
    for (let tries = 1; ;) {
      deadline.check();
      const exchange = new OneExchange(this.#agents, target, name.next());
      deadline.cut = (error) => exchange.destroy(error);
      try {
        return await exchange.run(options);
      } catch (error) {
        if (exchange.lostReused && again) again = false;
        else if (exchange.unconnected && tries < most) tries++;
        else throw FetchError.of(error, target.url.origin);
      }
    }
  }

  async #resolve({ host, url }: Target): Promise<Awaited<ReturnType<Resolver['resolve']>>> {
    try {
      return await this.#resolver.resolve(host);
    } catch (error) {
      throw new FetchError('name', url.origin, error);
    }
  }
}

/** One request on one connection. */
class OneExchange {
  readonly #agents: HttpAgents;
  readonly #target: Target;
  readonly #address: ResolvedAddress;
  #destroy: (error: Error) => void = () => {};
  /** The connection was a kept one, and ended without a word. */
  lostReused = false;
  /** There was no connection to be had. */
  unconnected = false;

  constructor(agents: HttpAgents, target: Target, address: ResolvedAddress) {
    this.#agents = agents;
    this.#target = target;
    this.#address = address;
  }

  destroy(error: Error): void {
    this.#destroy(error);
  }

  run(options: FetchOptions): Promise<FetchResponse> {
    const { url, host } = this.#target;
    const { method = 'GET', headers = {}, body, maxBytes = MAX_BYTES } = options;
    const { promise, resolve, reject } = Promise.withResolvers<FetchResponse>();
    const request = this.#agents.request(url.protocol === 'https:', host, options, {
      method,
      host: this.#address.ip,
      port: this.#address.port ?? this.#target.port,
      path: `${url.pathname}${url.search}`,
      headers: fieldsOf(headers, url.host),
      ...authOf(url),
    });
    this.#destroy = (error) => request.destroy(error);
    request.on('error', (error: NodeJS.ErrnoException) => {
      const code = error.code ?? '';
      this.lostReused = request.reusedSocket && ['ECONNRESET', 'EPIPE'].includes(code);
      this.unconnected = !request.reusedSocket && CONNECT_FAILURES.has(code);
      reject(error);
    });
    request.on('response', (response) => {
      readWhole(response, maxBytes, url.origin).then(resolve, (error: unknown) => {
        request.destroy();
        reject(error instanceof Error ? error : new Error(String(error)));
      });
    });
    if (body === undefined) request.end();
    else request.end(body);
    return promise;
  }
}

/** The end of an exchange by time or by the caller's signal. */
class Deadline {
  readonly #origin: string;
  readonly #signal: AbortSignal | undefined;
  readonly #timer: NodeJS.Timeout;
  readonly #over = Promise.withResolvers<never>();
  readonly #abort = (): void => this.#end(new FetchError('aborted', this.#origin, this.#signal?.reason));
  #failure: FetchError | null = null;
  /** Ends what is running. */
  cut: (error: Error) => void = () => {};

  constructor(origin: string, { timeoutMs = TIMEOUT_MS, signal }: FetchOptions) {
    this.#origin = origin;
    this.#signal = signal;
    this.#over.promise.catch(() => undefined);
    this.#timer = setTimeout(
      () => this.#end(new FetchError('timeout', origin, `no answer within ${timeoutMs} ms`)),
      timeoutMs,
    );
    if (signal?.aborted === true) this.#abort();
    else signal?.addEventListener('abort', this.#abort);
  }

  race<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#over.promise]);
  }

  /** @throws FetchError */
  check(): void {
    if (this.#failure !== null) throw this.#failure;
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener('abort', this.#abort);
  }

  #end(failure: FetchError): void {
    this.#failure = failure;
    this.#over.reject(failure);
    this.cut(failure);
  }
}

/** @throws TypeError */
function targetOf(text: string | URL): Target {
  const url = typeof text === 'string' ? URL.parse(text) : text;
  if (url === null) throw new TypeError('not a URL');
  const secure = url.protocol === 'https:';
  if (!secure && url.protocol !== 'http:') throw new TypeError(`${url.protocol} is neither http nor https`);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return { url, host, port: url.port === '' ? (secure ? 443 : 80) : Number(url.port) };
}

function fieldsOf(headers: NonNullable<FetchOptions['headers']>, host: string): OutgoingHttpHeaders {
  const fields: OutgoingHttpHeaders = { host };
  for (const [name, value] of Object.entries(headers)) {
    fields[name.toLowerCase()] = typeof value === 'string' ? value : [...value];
  }
  return fields;
}

function authOf({ username, password }: URL): { readonly auth?: string } {
  if (username === '' && password === '') return {};
  return { auth: `${decodeURIComponent(username)}:${decodeURIComponent(password)}` };
}

async function readWhole(
  response: IncomingMessage,
  maxBytes: number,
  origin: string,
): Promise<FetchResponse> {
  const tooLarge = (): FetchError => new FetchError('too_large', origin, `more than ${maxBytes} octets`);
  if (Number(response.headers['content-length'] ?? 0) > maxBytes) throw tooLarge();
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    if ((length += chunk.length) > maxBytes) throw tooLarge();
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks, length);
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body,
    text: () => body.toString('utf8'),
    json: () => JSON.parse(body.toString('utf8')) as unknown,
  };
}
