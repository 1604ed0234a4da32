/**
 * Client of an Admin API, Sluice's or Kong's: JSON over HTTP or HTTPS on kept connections.
 *
 * A request is made once: what fails is told, never tried again in silence. The one exception is a kept connection that
 * the server closed at the moment of its next use, for methods that may be repeated.
 */
import { Agent, request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { Agent as TlsAgent, request as httpsRequest } from 'node:https';
import type { Readable } from 'node:stream';
import { CommandError } from '../command.ts';

export interface AdminOptions {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** PEM text of the authorities to trust in place of the system's. */
  readonly ca: string | null;
  readonly verify: boolean;
  /** Milliseconds without a byte. */
  readonly timeout: number;
  /** Connections at most. */
  readonly parallel: number;
}

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface AdminCall {
  readonly method?: Method;
  /** Below the URL's own path, with its query. */
  readonly path: string;
  readonly body?: unknown;
  /** Sent as it is, in place of `body`. */
  readonly stream?: { readonly type: string; readonly source: Readable };
  readonly headers?: Readonly<Record<string, string>>;
  /** Milliseconds without a byte; 0: none. */
  readonly timeout?: number;
}

export interface AdminAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Null: no body. */
  readonly body: unknown;
}

/** A page of 1,000 entities with large certificates is far below. */
const MAX_ANSWER = 512 * 1024 * 1024;

const REPEATABLE: ReadonlySet<Method> = new Set(['GET', 'PUT', 'DELETE']);

export class AdminClient {
  readonly options: AdminOptions;
  readonly #agent: Agent;
  readonly #base: string;

  constructor(options: AdminOptions) {
    this.options = options;
    const { url, parallel } = options;
    const pool = { keepAlive: true, maxSockets: parallel };
    const tls = { ...(options.ca !== null && { ca: options.ca }), rejectUnauthorized: options.verify };
    this.#agent = url.protocol === 'https:' ? new TlsAgent({ ...pool, ...tls }) : new Agent(pool);
    this.#base = url.pathname.replace(/\/+$/, '');
  }

  /** Where it is, for messages; without user and password. */
  get place(): string {
    return `${this.options.url.protocol}//${this.options.url.host}${this.#base}`;
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Any answer. @throws CommandError when there is none. */
  async call(call: AdminCall): Promise<AdminAnswer> {
    try {
      return await this.#once(call, true);
    } catch (error) {
      if (error instanceof CommandError) throw error;
      throw new CommandError(this.#explain(call, error as NodeJS.ErrnoException));
    }
  }

  /** An answer below 300. @throws CommandError for any other. */
  async need(call: AdminCall): Promise<AdminAnswer> {
    const answer = await this.call(call);
    if (answer.status >= 200 && answer.status < 300) return answer;
    throw new CommandError(`${this.place}: ${call.method ?? 'GET'} ${call.path} answered ${refusal(answer)}`);
  }

  async #once(call: AdminCall, mayRepeat: boolean): Promise<AdminAnswer> {
    const outgoing = this.#open(call);
    try {
      const incoming = await responseOf(outgoing, call, call.timeout ?? this.options.timeout);
      return this.#read(call, incoming, await textOf(incoming));
    } catch (error) {
      const reset = (error as NodeJS.ErrnoException).code === 'ECONNRESET' && outgoing.reusedSocket;
      if (!reset || !mayRepeat || !REPEATABLE.has(call.method ?? 'GET')) throw error;
      return this.#once(call, false);
    }
  }

  #open(call: AdminCall): ClientRequest {
    const { url, headers } = this.options;
    const payload = call.body === undefined ? null : JSON.stringify(call.body);
    const open = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const outgoing = open({
      agent: this.#agent,
      protocol: url.protocol,
      hostname: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port,
      method: call.method ?? 'GET',
      path: this.#base + call.path,
      headers: {
        accept: 'application/json',
        ...headers,
        ...(payload !== null && {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(payload),
        }),
        ...(call.stream !== undefined && { 'content-type': call.stream.type }),
        ...call.headers,
      },
    });
    if (call.stream === undefined) outgoing.end(payload ?? undefined);
    return outgoing;
  }

  #read(call: AdminCall, incoming: IncomingMessage, text: string): AdminAnswer {
    const status = incoming.statusCode ?? 0;
    const { headers } = incoming;
    if (text === '') return { status, headers, body: null };
    try {
      return { status, headers, body: JSON.parse(text) as unknown };
    } catch {
      const where = `${this.place}: ${call.method ?? 'GET'} ${call.path}`;
      throw new CommandError(`${where} answered ${status} with something that is not JSON`);
    }
  }

  #explain(call: AdminCall, error: NodeJS.ErrnoException): string {
    const why = error.code === 'ECONNREFUSED' ? 'the connection was refused' : error.message || error.code;
    const what = call.path === '/' ? '' : `: ${call.method ?? 'GET'} ${call.path}`;
    return `cannot reach the Admin API at ${this.place}${what}: ${why ?? 'no connection'}`;
  }
}

function responseOf(outgoing: ClientRequest, call: AdminCall, timeout: number): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  if (timeout > 0) {
    outgoing.setTimeout(timeout, () => outgoing.destroy(new Error(`no answer within ${timeout / 1000} s`)));
  }
  outgoing.on('response', resolve);
  outgoing.on('error', reject);
  if (call.stream !== undefined) {
    const { source } = call.stream;
    source.on('error', (error) => outgoing.destroy(error));
    // A server that refuses early answers before it has all: no more is read for it then.
    outgoing.on('close', () => source.destroy());
    source.pipe(outgoing);
  }
  return promise;
}

function textOf(incoming: IncomingMessage): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const chunks: Buffer[] = [];
  let length = 0;
  incoming.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    length += chunk.length;
    if (length > MAX_ANSWER) incoming.destroy(new Error('the answer is too long'));
  });
  incoming.on('end', () => resolve(Buffer.concat(chunks).toString()));
  incoming.on('error', reject);
  return promise;
}

/** `409: UNIQUE violation detected on …`, as far as the answer says why. */
export function refusal({ status, body }: AdminAnswer): string {
  if (status === 401) return '401: it wants a token (--token, or SLUICE_ADMIN_TOKEN)';
  const message = typeof body === 'object' && body !== null && 'message' in body ? body.message : null;
  return typeof message === 'string' ? `${status}: ${message}` : String(status);
}
