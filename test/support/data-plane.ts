/**
 * A data plane in the test's own process: one route that takes everything, to one upstream. What a test changes are
 * settings and the route's facts; there is no configuration file, no router and no worker around it.
 */
import assert from 'node:assert/strict';
import { createResolver } from '../../src/balancer/resolver/create-resolver.ts';
import { DIRECTORY_KINDS } from '../../src/entities/directory-kinds.ts';
import type { PlaneResolver } from '../../src/balancer/resolver/resolver.ts';
import { DataPlane } from '../../src/proxy/data-plane.ts';
import type { Router } from '../../src/router/router.ts';
import { StreamRouter } from '../../src/router/stream-router.ts';
import { loadSettings } from '../../src/settings/load.ts';
import type { Settings } from '../../src/settings/settings.ts';
import { EMPTY_HASH, PROTOCOL_HTTP } from '../../src/snapshot/snapshot.ts';
import type { RouteTarget, ServiceTarget } from '../../src/snapshot/snapshot.ts';
import { NO_TRUST, type Trust } from '../../src/snapshot/trust.ts';
import { NO_SERVICES, type Services } from '../../src/snapshot/services.ts';
import { NO_UPSTREAMS, type Upstreams } from '../../src/snapshot/upstreams.ts';
import { Directory } from '../../src/zone/directory/directory.ts';
import { DirectoryWriter } from '../../src/zone/directory/writer.ts';
import type { CircuitZone } from '../../src/zone/circuits/circuit-zone.ts';
import { CELL, WorkerZone } from '../../src/zone/worker-zone.ts';
import type { MemoryRecords } from './memory-records.ts';
import { type DirectoryRow, pluginSet, type TestPlugin } from './plugins.ts';
import { freePort } from './ports.ts';
import { tempDir } from './temp-dir.ts';
import { waitFor } from './wait.ts';

export interface PlaneOptions {
  /** Settings by name, over those that a test wants anyway (no logs, a port of its own). */
  readonly settings?: Readonly<Record<string, string>>;
  readonly route?: Partial<RouteTarget>;
  readonly service?: Partial<ServiceTarget>;
  /** False: the route takes nothing. */
  readonly routed?: boolean;
  readonly trust?: Trust;
  /** Upstreams and services beside the route's; none unless said. */
  readonly upstreams?: Upstreams;
  readonly services?: Services;
  /** Memory of ticket keys, to be shared by several. */
  readonly tickets?: SharedArrayBuffer;
  /** Memory of the zone that plugins share, to be shared by several; `workerId` tells them apart. */
  readonly shared?: SharedArrayBuffer;
  readonly workerId?: number;
  /** Where breakers and places are; one of its own unless said. */
  readonly circuits?: CircuitZone;
  /** Routes of `stream_listen`; none unless said. */
  readonly streams?: StreamRouter<RouteTarget>;
  /** Configurations of plugins, and plugins that the test defines itself. */
  readonly plugins?: readonly TestPlugin[];
  /** Consumers, credentials and what else lies in the directory. */
  readonly entities?: readonly DirectoryRow[];
  /** What plugins keep; with it the setting `database` must name one. */
  readonly records?: MemoryRecords;
  /** One that asks `dns_resolver` unless said. */
  readonly resolver?: PlaneResolver;
}

export interface TestPlane extends AsyncDisposable {
  readonly port: number;
  readonly plane: DataPlane;
  readonly zone: WorkerZone;
  readonly settings: Settings;
  /** The same route with other certificates. */
  serve(trust: Trust): void;
  /** Changes consumers and credentials. */
  readonly directory: DirectoryWriter;
  /** Waits until no client connection is open and checks that every gauge is back at zero. */
  settled(): Promise<void>;
}

function routeTarget(upstreamPort: number, options: PlaneOptions): RouteTarget {
  const service: ServiceTarget = {
    id: '11111111-1111-4111-8111-111111111111',
    name: 's',
    tls: false,
    grpc: false,
    upstreamProtocol: 'http/1.1',
    host: '127.0.0.1',
    port: upstreamPort,
    balancing: { upstreams: null, balancer: null },
    hostHeader: `127.0.0.1:${upstreamPort}`,
    path: '/',
    retries: 0,
    timeouts: { connect: 5000, write: 5000, read: 5000 },
    entity: {} as ServiceTarget['entity'],
    ...options.service,
  };
  return {
    id: '22222222-2222-4222-8222-222222222222',
    name: 'r',
    service,
    broken: null,
    protocols: PROTOCOL_HTTP,
    httpsRedirectStatus: 426,
    stripPath: false,
    preserveHost: false,
    pathHandling: 'v0',
    requestBuffering: true,
    responseBuffering: true,
    entity: {} as RouteTarget['entity'],
    ...options.route,
  };
}

const GAUGES = ['active', 'reading', 'writing', 'waiting', 'tunnels'] as const;

export async function startPlane(upstreamPort: number, options: PlaneOptions = {}): Promise<TestPlane> {
  const prefix = await tempDir();
  const { settings } = loadSettings({
    env: {},
    overrides: {
      prefix: prefix.path,
      database: 'off',
      // Not 0: the system may give a port that another test's listener shares (SO_REUSEPORT).
      proxy_listen: `127.0.0.1:${await freePort()}`,
      proxy_access_log: 'off',
      proxy_error_log: 'off',
      proxy_stream_access_log: 'off',
      proxy_stream_error_log: 'off',
      log_level: 'error',
      ...options.settings,
    },
  });
  const zone = WorkerZone.standalone();
  const directory = new DirectoryWriter(DIRECTORY_KINDS);
  for (const { kind, entity } of options.entities ?? []) directory.put(kind, entity);
  const plane = new DataPlane({
    settings,
    workerId: options.workerId ?? 0,
    zone,
    directory: new Directory(DIRECTORY_KINDS, directory.open()),
    resolver: options.resolver ?? createResolver(settings, () => undefined),
    ...(options.tickets === undefined ? {} : { tickets: options.tickets }),
    ...(options.shared === undefined ? {} : { shared: options.shared }),
    ...(options.circuits === undefined ? {} : { circuits: options.circuits }),
    ...(options.records === undefined ? {} : { records: options.records, recordCache: options.records }),
  });
  const value = routeTarget(upstreamPort, options);
  const match = { value, routeId: value.id, matchedPrefix: '', captures: null };
  const valueOf = (id: string): RouteTarget | null => (id === value.id ? value : null);
  const routed = options.routed !== false;
  const router = {
    match: () => (routed ? match : null),
    valueOf,
  } as unknown as Router<RouteTarget>;
  const streams = options.streams ?? StreamRouter.empty<RouteTarget>('traditional_compatible');
  const plugins = await pluginSet(plane, options.plugins ?? []);
  const { upstreams = NO_UPSTREAMS, services = NO_SERVICES } = options;
  const snapshot = { revision: 1, hash: EMPTY_HASH, router, streams, upstreams, services, plugins };
  const serve = (trust: Trust): void => plane.applySnapshot({ ...snapshot, trust });
  serve(options.trust ?? NO_TRUST);
  await plane.listen();
  const [port] = plane.ports;
  assert.ok(port !== undefined);
  const settled = async (): Promise<void> => {
    await waitFor(() => zone.get(CELL.active) === 0, { what: 'all client connections to be closed' });
    const gauges = Object.fromEntries(GAUGES.map((name) => [name, zone.get(CELL[name])]));
    assert.deepEqual(gauges, { active: 0, reading: 0, writing: 0, waiting: 0, tunnels: 0 });
  };
  return {
    port,
    plane,
    zone,
    settings,
    serve,
    directory,
    settled,
    async [Symbol.asyncDispose]() {
      await plane.close();
      await prefix[Symbol.asyncDispose]();
    },
  };
}
