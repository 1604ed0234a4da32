/**
 * A stand-in for a real Kong: its Admin API as far as `sluice config` uses it, over entities in memory. Written from
 * Kong's contract (pages with offsets, tag filters, upserts by id, error objects, 404 for Enterprise's kinds, 400 for
 * filter chains); fields and defaults are those of this gateway's own definitions. It is no Kong: what a real one does
 * differently, no test here can see.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { DEFINITIONS } from '../../../src/entities/registry.ts';
import { type Answer, type Entity, FakeRows, NOT_FOUND } from './fake-rows.ts';

export interface FakeKongOptions {
  /** An answer in place of the real one. */
  readonly intercept?: (
    method: string,
    path: string,
    body: Entity,
  ) => { status: number; body?: unknown } | null;
  readonly root?: Entity;
}

const PATHS: ReadonlyMap<string, string> = new Map(
  DEFINITIONS.map((definition) => [definition.admin_api_name ?? definition.name, definition.name]),
);

/** What a schema prints: functions are not printed. */
const SCHEMAS = new Map(
  DEFINITIONS.map(({ name, fields }) => [
    name,
    { fields: Object.entries(fields).map(([field, description]) => ({ [field]: description })) },
  ]),
);

/** Schema of a plugin that everybody knows. */
const CORRELATION_ID = {
  fields: [
    { protocols: { type: 'set', required: true, default: ['grpc', 'grpcs', 'http', 'https'] } },
    {
      config: {
        type: 'record',
        required: true,
        fields: [
          { header_name: { type: 'string', default: 'Kong-Request-ID' } },
          { generator: { type: 'string', default: 'uuid#counter', required: true } },
          { echo_downstream: { type: 'boolean', default: false, required: true } },
        ],
      },
    },
  ],
};

export class FakeKong implements AsyncDisposable {
  readonly #rows = new FakeRows();
  /** `PUT /services/…`, in order. */
  readonly requests: string[] = [];
  /** Header fields of the last request. */
  headers: IncomingHttpHeaders = {};
  /** At once, at most. */
  busiest = 0;
  readonly #options: FakeKongOptions;
  readonly #server = createServer((request, response) => void this.#serve(request, response));
  #busy = 0;

  constructor(options: FakeKongOptions = {}) {
    this.#options = options;
  }

  async listen(): Promise<this> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get writes(): string[] {
    return this.requests.filter((line) => !line.startsWith('GET '));
  }

  list(kind: string): Entity[] {
    return this.#rows.list(kind);
  }

  /** Puts an entity there as an earlier client has. */
  add(kind: string, input: Entity): Entity {
    const { status, body } = this.#rows.write(kind, { id: randomUUID(), ...input });
    if (status >= 300) throw new Error(JSON.stringify(body));
    return body as Entity;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.busiest = Math.max(this.busiest, ++this.#busy);
    let text = '';
    for await (const chunk of request.setEncoding('utf8')) text += String(chunk);
    await new Promise((resolve) => setImmediate(resolve));
    const body = (text === '' ? {} : JSON.parse(text)) as Entity;
    this.headers = request.headers;
    const { method = 'GET', url = '/' } = request;
    this.requests.push(`${method} ${url}`);
    const answer =
      this.#options.intercept?.(method, url, body) ?? this.#route(method, new URL(url, this.url), body);
    this.#busy--;
    response.writeHead(answer.status, { 'content-type': 'application/json; charset=utf-8' });
    response.end(answer.body === undefined ? '' : JSON.stringify(answer.body));
  }

  #route(method: string, url: URL, body: Entity): Answer {
    const segments = url.pathname.split('/').slice(1).map(decodeURIComponent);
    const [first = '', second, third, fourth] = segments;
    if (first === '') return { status: 200, body: this.#root() };
    if (first === 'schemas') return this.#schema(second, third);
    if (first === 'filter-chains') {
      return { status: 400, body: { message: 'this endpoint is only available when wasm is enabled' } };
    }
    if (first === 'upstreams' && third === 'targets') {
      const parent = this.#rows.find('upstreams', second ?? '');
      if (parent === null) return NOT_FOUND;
      return this.#resource(
        { kind: 'targets', url, within: { upstream: { id: parent['id'] } } },
        method,
        fourth,
        body,
      );
    }
    const kind = PATHS.get(first);
    if (kind === undefined || kind === 'targets' || third !== undefined) return NOT_FOUND;
    return this.#resource({ kind, url, within: {} }, method, second, body);
  }

  #root(): Entity {
    return {
      tagline: 'Welcome to kong',
      version: '3.9.1',
      configuration: { database: 'postgres' },
      plugins: { available_on_server: { 'correlation-id': {}, 'key-auth': {}, 'rate-limiting': {} } },
      ...this.#options.root,
    };
  }

  #schema(name: string | undefined, plugin: string | undefined): Answer {
    if (name === 'plugins' && plugin !== undefined) {
      return plugin === 'correlation-id' ? { status: 200, body: CORRELATION_ID } : NOT_FOUND;
    }
    const schema = SCHEMAS.get(name ?? '');
    return schema === undefined ? NOT_FOUND : { status: 200, body: schema };
  }

  #resource(
    { kind, url, within }: { kind: string; url: URL; within: Entity },
    method: string,
    name: string | undefined,
    body: Entity,
  ): Answer {
    if (name === undefined) {
      if (method === 'GET') return this.#rows.page(kind, url, within);
      return this.#rows.write(kind, { id: randomUUID(), ...body, ...within }, 201);
    }
    const stored = this.#rows.find(kind, name);
    if (method === 'GET') return stored === null ? NOT_FOUND : { status: 200, body: stored };
    if (method === 'DELETE') return this.#rows.remove(kind, stored);
    const id = stored?.['id'] ?? name;
    if (method === 'PUT') return this.#rows.write(kind, { ...body, ...within, id });
    return stored === null ? NOT_FOUND : this.#rows.write(kind, { ...stored, ...body, id });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

export function fakeKong(options?: FakeKongOptions): Promise<FakeKong> {
  return new FakeKong(options).listen();
}
