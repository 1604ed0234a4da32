/**
 * HTTP listeners of the main thread (admin, status) with nginx's access log. What answers is loaded with the first
 * request: most gateways are asked by nobody.
 */
import type { Server, Socket } from 'node:net';
import type { AccessLog } from '../observe/access-log.ts';
import { answerClientErrors } from './client-error.ts';
import { type HttpRequest, type HttpResponse, closer, createHttpServer, renewTls } from './http-server.ts';
import { bindProblem } from './ports.ts';
import type { Probes } from './probes.ts';
import { proxiedOf, type ProxyHeaderRules, readHeadersFirst } from './proxy-header.ts';
import type { ServerTls } from './tls.ts';
import type { Listener } from '../settings/settings.ts';
import { keepAlive, listenOn, MODE_OWNER, UNIX_PEER } from '../wire/listen.ts';
import type { InFlight } from './in-flight.ts';

export interface HttpListener extends Pick<Listener, 'host' | 'port' | 'path'> {
  /**
   * That it is bound to (a name of the settings may stand for any), or `unix:`; '' for one with `proxy_protocol`, whose
   * clients are somewhere behind.
   */
  readonly address: string;
  /** Certificates for the connections that are to come; nothing for a listener without TLS. */
  renew(tls: ServerTls): void;
  close(): void;
}

/** What answers the requests of a listener. */
export interface Front {
  answer(request: HttpRequest, response: HttpResponse): unknown;
  /** A target as logs may have it. */
  shownTarget(target: string): string;
}

export interface HttpOptions {
  /** Loads what answers, at most once at a time, and again when that failed; `address`: that a listener is bound to. */
  readonly front: (address: string) => Promise<Front>;
  /** What need not wait for that. */
  readonly probes: Probes | null;
  /** It could not be loaded. */
  readonly onError: (error: unknown) => void;
  readonly access: AccessLog | null;
  /** For the listeners with `ssl`. */
  readonly tls: ServerTls | null;
  /** Gets what is not a read. */
  readonly writes: InFlight;
  /** For the listeners with `proxy_protocol`. */
  readonly proxyHeaders: ProxyHeaderRules;
}

const READS: ReadonlySet<string | undefined> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Open connections of one listener; an admin side has few clients. */
const MAX_CONNECTIONS = 1024;

const UNEXPECTED = JSON.stringify({ message: 'An unexpected error occurred' });

/** nginx's status for a client that went before its answer. */
const CLIENT_GONE = 499;

/** @throws Error that names the address, when one cannot be had. */
export async function openHttp(
  listeners: readonly Listener[],
  options: HttpOptions,
): Promise<HttpListener[]> {
  const opened: HttpListener[] = [];
  for (const listener of listeners) {
    const door = new Door(options);
    const tls = listener.ssl ? options.tls : null;
    const server = createHttpServer((request, response) => door.answer(request, response), listener, tls);
    if (listener.proxyProtocol) readHeadersFirst(server, listener, options.proxyHeaders);
    if (listener.keepAlive !== null) server.on('connection', (socket: Socket) => keepAlive(socket, listener));
    server.on('request', ({ method }: HttpRequest, response: HttpResponse) => {
      if (!READS.has(method)) options.writes.track(response);
    });
    if (options.access !== null) logAccess(server, options.access, door);
    answerClientErrors(server);
    server.maxConnections = MAX_CONNECTIONS;
    const close = closer(server);
    await listen(server, listener);
    door.address = listener.proxyProtocol ? '' : boundAddress(server);
    opened.push({
      host: listener.host,
      port: listener.port,
      path: listener.path,
      address: door.address,
      renew(next) {
        if (listener.ssl) renewTls(server, next);
      },
      close,
    });
  }
  return opened;
}

function boundAddress(server: Server): string {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.address : UNIX_PEER;
}

/** The first requests of a listener wait here until what answers them is loaded. */
class Door {
  /** That the listener is bound to. */
  address = '';
  readonly #options: HttpOptions;
  #front: Front | null = null;
  #loading: Promise<Front> | null = null;

  constructor(options: HttpOptions) {
    this.#options = options;
  }

  answer(request: HttpRequest, response: HttpResponse): void {
    const { probes } = this.#options;
    if (probes?.has(request) === true) return probes.answer(request, response);
    this.#with(
      (front) => front.answer(request, response),
      (error) => {
        this.#options.onError(error);
        response.statusCode = 500;
        response.setHeader('content-type', 'application/json; charset=utf-8');
        response.end(UNEXPECTED);
      },
    );
  }

  /** The target of a request as logs may have it. */
  shownTarget(request: HttpRequest, use: (target: string) => void): void {
    const { url = '' } = request;
    if (this.#options.probes?.has(request) === true) return use(url);
    this.#with(
      (front) => use(front.shownTarget(url)),
      () => use('-'),
    );
  }

  #with(use: (front: Front) => void, failed: (error: unknown) => void): void {
    if (this.#front === null) this.#load().then(use, failed);
    else use(this.#front);
  }

  #load(): Promise<Front> {
    this.#loading ??= this.#options.front(this.address).then(
      (front) => (this.#front = front),
      (error: unknown) => {
        this.#loading = null;
        throw error;
      },
    );
    return this.#loading;
  }
}

function logAccess(server: Server, access: AccessLog, door: Door): void {
  server.on('request', (request: HttpRequest, response: HttpResponse) => {
    // Taken now: a socket that is gone has no address.
    const proxied = proxiedOf(request.socket);
    const remoteAddr = proxied?.remoteAddress ?? request.socket.remoteAddress ?? UNIX_PEER;
    const write = (target: string): void =>
      access.write({
        remoteAddr,
        remoteUser: '',
        method: request.method ?? '',
        target,
        version: versionOf(request.httpVersion),
        status: response.headersSent ? response.statusCode : CLIENT_GONE,
        bytesSent: response.bodyBytes,
        referer: request.headers.referer ?? '',
        userAgent: request.headers['user-agent'] ?? '',
        requestId: null,
      });
    response.on('close', () => door.shownTarget(request, write));
  });
}

function versionOf(version: string): '1.0' | '1.1' | '2' {
  if (version === '2.0') return '2';
  return version === '1.0' ? '1.0' : '1.1';
}

async function listen(server: Server, listener: Listener): Promise<void> {
  try {
    await listenOn(server, listener, { shared: false, mode: MODE_OWNER });
  } catch (error) {
    throw new Error(bindProblem(listener, error as NodeJS.ErrnoException), { cause: error });
  }
}
