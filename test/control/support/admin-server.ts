/** The Admin API over real HTTP on a catalog in a temporary folder, without a gateway behind it. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { createAdaptorServer } from '@hono/node-server';
import { DnsError, type Resolver } from '../../../src/balancer/resolver/resolver.ts';
import { registerEntities } from '../../../src/control/admin/entities.ts';
import type { Principal } from '../../../src/control/access/principal.ts';
import { createApp } from '../../../src/control/admin/resource.ts';
import { loadSettings } from '../../../src/settings/load.ts';
import type { Settings } from '../../../src/settings/settings.ts';
import { CatalogStore } from '../../../src/store/catalog-store.ts';
import { Catalog } from '../../../src/store/catalog/catalog.ts';
import { sealedCodec } from '../../../src/store/catalog/codec.ts';
import { createSealer } from '../../../src/store/sealing.ts';
import type { ConfigStore } from '../../../src/store/config-store.ts';
import { tempDir } from '../../support/temp-dir.ts';

const NO_NAMES: Resolver = {
  peek: () => null,
  resolve: () => Promise.reject(new DnsError('name_error', 'no names here')),
  close: () => undefined,
};

export type Json = Readonly<Record<string, unknown>>;

export interface Answer {
  readonly status: number;
  readonly body: Json;
  readonly text: string;
  readonly headers: Headers;
}

async function readAll(socket: Socket): Promise<{ status: number; text: string }> {
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  return { status: Number(text.split(' ', 2)[1]), text: text.slice(text.indexOf('\r\n\r\n') + 4) };
}

interface AdminOptions {
  readonly settings?: Partial<Settings>;
  readonly principal?: Principal;
  /** Another store than the catalog's. */
  readonly wrap?: (store: ConfigStore) => ConfigStore | null;
}

export class AdminServer implements AsyncDisposable {
  readonly store: CatalogStore;
  /** What nobody expected: it is answered with 500. */
  readonly errors: readonly Error[];
  readonly port: number;
  readonly #asked: { principal: Principal | null };
  readonly #dispose: () => Promise<void>;

  constructor(
    store: CatalogStore,
    port: number,
    errors: readonly Error[],
    asked: { principal: Principal | null },
    dispose: () => Promise<void>,
  ) {
    this.store = store;
    this.errors = errors;
    this.#asked = asked;
    this.port = port;
    this.#dispose = dispose;
  }

  /** Who asks from now on. */
  as(principal: Principal | null): void {
    this.#asked.principal = principal;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** A body that is an object is sent as JSON. */
  async call(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const raw = typeof body === 'string' || body instanceof FormData || body instanceof Uint8Array;
    const type = body === undefined || raw ? {} : { 'content-type': 'application/json' };
    const init: RequestInit = { method, headers: { ...type, ...headers } };
    if (body !== undefined)
      init.body = raw ? (body as NonNullable<RequestInit['body']>) : JSON.stringify(body);
    const response = await fetch(this.origin + path, init);
    const text = await response.text();
    const json = response.headers.get('content-type')?.startsWith('application/json') === true;
    const answered = json && text !== '' ? (JSON.parse(text) as Json) : {};
    return { status: response.status, body: answered, text, headers: response.headers };
  }

  /** Status and body of a request that is written as it is. */
  raw(request: string | Buffer): Promise<{ status: number; text: string }> {
    const socket = connect(this.port, '127.0.0.1');
    socket.end(request);
    return readAll(socket);
  }

  form(method: string, path: string, body: string): Promise<Answer> {
    return this.call(method, path, body, { 'content-type': 'application/x-www-form-urlencoded' });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#dispose();
  }
}

export async function startAdmin(options: AdminOptions = {}): Promise<AdminServer> {
  const folder = await tempDir();
  const codec = sealedCodec(createSealer([]));
  const catalog = new Catalog({ path: join(folder.path, 'store.db'), durable: false, codec });
  const store = new CatalogStore({
    catalog,
    context: () => ({ flavor: 'traditional_compatible' }),
    retention: 1000,
  });
  const { settings: defaults } = loadSettings({ env: {} });
  const settings = { ...defaults, prefix: folder.path, ...options.settings };
  const seen = options.wrap === undefined ? store : options.wrap(store);
  const errors: Error[] = [];
  const asked: { principal: Principal | null } = { principal: options.principal ?? null };
  const app = createApp({
    settings: () => settings,
    onError: (error) => errors.push(error),
    door: async (context, next) => {
      context.set('principal', asked.principal);
      await next();
    },
  });
  registerEntities(app, {
    store: () => seen,
    records: () => null,
    settings: () => settings,
    resolver: () => NO_NAMES,
    health: () => null,
  });
  const server = createAdaptorServer({
    fetch: (request, env) => app.fetch(request, { incoming: env.incoming, listenAddress: '127.0.0.1' }),
    overrideGlobalObjects: false,
    createServer,
  }) as Server;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return new AdminServer(store, (server.address() as AddressInfo).port, errors, asked, async () => {
    server.close();
    server.closeAllConnections();
    catalog.close();
    await folder[Symbol.asyncDispose]();
  });
}
