/**
 * `sluice/plugin-testing`: a gateway inside of the test's own process, with the plugins of the folder, in front of an
 * upstream that says what it was asked. All is real but the threads around it: the configuration goes through the compiler of
 * declarative files, requests go through sockets.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type IncomingHttpHeaders, type RequestListener, request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createResolver } from '../balancer/resolver/create-resolver.ts';
import { DirectoryKeeper } from '../control/directory-keeper.ts';
import { DIRECTORY_KINDS, type DirectoryEntities } from '../entities/directory-kinds.ts';
import { applyFolder } from '../plugins/users/bundle.ts';
import { DataPlane } from '../proxy/data-plane.ts';
import { loadSettings } from '../settings/load.ts';
import { SnapshotBuilder } from '../snapshot/builder.ts';
import { encodeImage } from '../snapshot/image-encode.ts';
import { compileDeclarative } from '../store/file/compile.ts';
import { renderErrors } from '../store/file/render.ts';
import { Directory } from '../zone/directory/directory.ts';
import { DirectoryWriter } from '../zone/directory/writer.ts';
import { WorkerZone } from '../zone/worker-zone.ts';
import { type EchoUpstream, startEcho } from './plugin/echo.ts';

export interface TestPlugin {
  readonly name: string;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

export interface TestGatewayOptions {
  /** Configurations of plugins, for every request. */
  readonly plugins?: readonly TestPlugin[];
  /** More of a declarative file: `{ consumers: [{ username: 'anna' }] }`. Services in it take the place of the one route. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Folder of the plugins; the one that `sluice plugin test` uses unless said. */
  readonly folder?: string;
  /** Settings by name. */
  readonly settings?: Readonly<Record<string, string>>;
  /** In place of the echo. */
  readonly upstream?: RequestListener;
}

export interface TestRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Uint8Array;
}

export interface TestResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  text(): string;
  /** @throws SyntaxError */
  json(): unknown;
}

export interface TestGateway extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Everything that came to the upstream, in order. */
  readonly upstreamRequests: EchoUpstream['requests'];
  request(path: string, options?: TestRequest): Promise<TestResponse>;
  /** What the gateway and its plugins have logged by now. */
  logs(): string;
}

/** Listens on a free port of the loopback. @throws Error that says what is wrong with plugins or configuration. */
export async function startGateway(options: TestGatewayOptions = {}): Promise<TestGateway> {
  await applyFolder(resolve(options.folder ?? process.env['SLUICE_PLUGINS_DIR'] ?? '.'));
  const prefix = mkdtempSync(join(tmpdir(), 'sluice-plugin-test-'));
  const log = join(prefix, 'error.log');
  const upstream = await startEcho(options.upstream);
  try {
    const plane = await startPlane(options, { prefix, log, upstreamUrl: upstream.url });
    return testGateway(plane, upstream, { prefix, log });
  } catch (error) {
    upstream.close();
    rmSync(prefix, { recursive: true, force: true });
    throw error;
  }
}

interface Places {
  readonly prefix: string;
  readonly log: string;
}

async function startPlane(
  options: TestGatewayOptions,
  { prefix, log, upstreamUrl }: Places & { readonly upstreamUrl: string },
): Promise<DataPlane> {
  const { settings } = loadSettings({
    file: '/dev/null',
    env: {},
    overrides: {
      prefix,
      proxy_listen: '127.0.0.1:0',
      proxy_access_log: 'off',
      proxy_error_log: log,
      log_level: 'debug',
      nginx_worker_processes: '1',
      ...options.settings,
    },
  });
  const image = imageOf(options, upstreamUrl, settings.router_flavor);
  const writer = new DirectoryWriter(DIRECTORY_KINDS);
  const directory = new Directory<DirectoryEntities>(DIRECTORY_KINDS, writer.open());
  await new DirectoryKeeper(writer).fromImage(image, null);
  const resolver = createResolver(settings, () => undefined);
  const plane = new DataPlane({
    settings,
    workerId: 0,
    zone: WorkerZone.standalone(),
    directory,
    resolver,
  });
  const builder = new SnapshotBuilder(settings.router_flavor, {
    createPlugin: (entity) => plane.createPlugin(entity),
  });
  const snapshot = await builder.prepare(image, settings.router_flavor);
  const broken = snapshot.plugins.instances.values().find((instance) => instance.broken !== null);
  if (broken !== undefined) throw new Error(`plugin ${broken.entity.name}: ${broken.broken}`);
  builder.commit(snapshot);
  plane.applySnapshot(builder.current);
  await plane.listen();
  return plane;
}

function imageOf(
  { plugins = [], config = {} }: TestGatewayOptions,
  url: string,
  flavor: 'traditional_compatible' | 'expressions' | 'traditional',
): SharedArrayBuffer {
  const file = {
    _format_version: '3.0',
    services: [{ name: 'upstream', url, routes: [{ name: 'everything', paths: ['/'] }] }],
    ...config,
    plugins: [...plugins, ...((config['plugins'] as readonly TestPlugin[] | undefined) ?? [])],
  };
  const text = JSON.stringify(file, null, 1).replaceAll('%UPSTREAM%', url);
  const now = Math.floor(Date.now() / 1000);
  const result = compileDeclarative(text, { filename: 'config', flavor, now });
  if (!result.ok) throw new Error(renderErrors(result.errors, 'config').join('\n'));
  return encodeImage(result.config.entities, { revision: 1, hash: 'test' });
}

function testGateway(plane: DataPlane, upstream: EchoUpstream, { prefix, log }: Places): TestGateway {
  const [port = 0] = plane.ports;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    upstreamRequests: upstream.requests,
    request: (path, request) => send(port, path, request),
    logs() {
      try {
        return readFileSync(log, 'utf8');
      } catch {
        return '';
      }
    },
    async [Symbol.asyncDispose]() {
      await plane.close();
      upstream.close();
      rmSync(prefix, { recursive: true, force: true });
    },
  };
}

function send(port: number, path: string, options: TestRequest = {}): Promise<TestResponse> {
  const { promise, resolve: answer, reject } = Promise.withResolvers<TestResponse>();
  const headers = Object.fromEntries(
    Object.entries(options.headers ?? {}).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : [...value],
    ]),
  );
  const call = httpRequest({
    port,
    host: '127.0.0.1',
    path,
    method: options.method ?? 'GET',
    headers,
    agent: false,
  });
  call.on('error', reject);
  call.on('response', (response) => {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('error', reject);
    response.on('end', () => {
      const body = Buffer.concat(chunks);
      const { statusCode: status = 0, headers: fields } = response;
      answer({
        status,
        headers: fields,
        body,
        text: () => body.toString(),
        json: () => JSON.parse(body.toString()) as unknown,
      });
    });
  });
  call.end(options.body);
  return promise;
}
