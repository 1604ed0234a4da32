/**
 * The data plane of one worker: its listeners, its connections, and what they share. One instance for each thread;
 * nothing in it knows of other workers but the counters of its zone.
 */
import type { ServerSessionOptions } from 'node:http2';
import type * as net from 'node:net';
import type { PlaneResolver } from '../balancer/resolver/resolver.ts';
import type { DirectoryEntities } from '../entities/directory-kinds.ts';
import type { Plugin } from '../entities/plugin.ts';
import type { GatewayError } from '../lib/gateway-error.ts';
import { TimerWheel } from '../lib/timer-wheel.ts';
import { AccessLog } from '../observe/access-log.ts';
import { ErrorLog } from '../observe/error-log.ts';
import { LogFile, logPath } from '../observe/log-file.ts';
import type { MetricsReport } from '../observe/metrics/families.ts';
import { StreamLog } from '../observe/stream-log.ts';
import { PluginHost } from '../plugins/engine/host.ts';
import type { UserPlugin } from '../plugins/users/live.ts';
import type { PluginInstance } from '../plugins/engine/instance.ts';
import { NO_PLUGINS } from '../plugins/engine/plugin-set.ts';
import type { RecordAccess } from '../plugins/services/records.ts';
import { Router } from '../router/router.ts';
import { StreamRouter } from '../router/stream-router.ts';
import type { LogLevel, Settings } from '../settings/settings.ts';
import { EMPTY_HASH } from '../snapshot/snapshot.ts';
import type { RouteTarget, Snapshot } from '../snapshot/snapshot.ts';
import { NO_TRUST, type Trust } from '../snapshot/trust.ts';
import { NO_SERVICES } from '../snapshot/services.ts';
import { NO_UPSTREAMS } from '../snapshot/upstreams.ts';
import { ClientConnection } from '../wire/http1/client-connection.ts';
import type { ClientTimeouts, MalformedRequest, ServerConnection } from '../wire/http1/client-context.ts';
import { FieldLines } from '../wire/http1/field-lines.ts';
import { RequestHeadParser } from '../wire/http1/head-parser.ts';
import type { HeadLimits } from '../wire/http1/head-parser.ts';
import { Scratch } from '../wire/http1/output.ts';
import { UpstreamPool } from '../wire/http1/upstream-pool.ts';
import { Http2Pool } from '../wire/http2/client-pool.ts';
import { sessionOptions } from '../wire/http2/server-context.ts';
import type { Http2Limits, Http2ServerContext } from '../wire/http2/server-context.ts';
import { Http2ServerSession } from '../wire/http2/server-session.ts';
import type { Peer, RequestHead, ServerStream } from '../wire/message.ts';
import { CircuitZone } from '../zone/circuits/circuit-zone.ts';
import type { Directory } from '../zone/directory/directory.ts';
import { TicketKeyRing, TicketKeys } from '../zone/ticket-keys.ts';
import { CELL } from '../zone/worker-zone.ts';
import type { WorkerZone } from '../zone/worker-zone.ts';
import type { ArrivalFacts } from './arrival.ts';
import type { ProxyContext } from './context.ts';
import { ErrorBodies } from './error-body.ts';
import { errorContext, errorText } from './error-context.ts';
import { Exchange } from './exchange.ts';
import { Listeners } from './listeners.ts';
import { replyMalformed } from './malformed.ts';
import { endPlugins } from './plugins/end-plugins.ts';
import { ServiceMaker } from './plugins/services.ts';
import { policyOf } from './policy.ts';
import type { Policy } from './policy.ts';
import { RealIp } from './real-ip.ts';
import { Streams } from './stream/streams.ts';
import { clientAsking } from './client-asking.ts';
import { TlsListeners } from './tls-listeners.ts';
import { UpstreamTerms } from './forward/upstream-terms.ts';

export interface DataPlaneOptions {
  readonly settings: Settings;
  readonly workerId: number;
  readonly zone: WorkerZone;
  readonly directory: Directory<DirectoryEntities>;
  /** Closed with the plane. */
  readonly resolver: PlaneResolver;
  /** Memory of the node's `TicketKeyRing`; without it the tickets of this worker are its own. */
  readonly tickets?: SharedArrayBuffer;
  /** Memory of the node's `NodeSharedZone`; without it plugins share among themselves. */
  readonly shared?: SharedArrayBuffer;
  /** Of the node; without it the breakers of this worker are its own. */
  readonly circuits?: CircuitZone;
  /** Where tokens and sessions are, and the worker's cache of them; without both there are none. */
  readonly records?: RecordAccess['writer'];
  readonly recordCache?: RecordAccess['reader'];
}

/** Milliseconds that listeners may stay open in a drain, for what the kernel has queued. */
const CLOSE_MS = 2000;

const NOTHING = Buffer.alloc(0);
/** Of a data plane without a node. */
const LONE_CIRCUITS = 256;
/** Head parsers kept for reuse. */
const SPARE_PARSERS = 256;

export class DataPlane implements ProxyContext, Http2ServerContext {
  readonly wheel = new TimerWheel();
  readonly scratch = new Scratch();
  readonly zone: WorkerZone;
  readonly circuits: CircuitZone;
  readonly directory: Directory<DirectoryEntities>;
  readonly pool: UpstreamPool;
  readonly http2Pool: Http2Pool;
  readonly upstreamTerms: UpstreamTerms;
  readonly tunnels = new Set<{ destroy(): void }>();
  readonly resolver: PlaneResolver;
  snapshot: Snapshot;
  policy: Policy;
  realIp: RealIp;
  errorBodies: ErrorBodies;
  timeouts: ClientTimeouts;
  maxRequests: number;
  draining = false;
  readonly trailerBytes: number;
  accessLog: AccessLog | null = null;
  errorLog: ErrorLog;
  #settings: Settings;
  readonly #workerId: number;
  readonly requestLimits: HeadLimits;
  readonly http2: Http2Limits;
  readonly http2Options: ServerSessionOptions;
  readonly #logFiles: LogFile[] = [];
  readonly #tls: TlsListeners;
  readonly #listeners: Listeners;
  readonly #streams: Streams;
  readonly #plugins: PluginHost;
  /** What plugins are handed. */
  readonly services: ServiceMaker;
  readonly #connections = new Set<ServerConnection>();
  readonly #parsers: RequestHeadParser[] = [];
  #drained: (() => void) | null = null;

  constructor(options: DataPlaneOptions) {
    const { settings, workerId, zone, directory, tickets } = options;
    this.#settings = settings;
    this.#workerId = workerId;
    this.zone = zone;
    this.circuits = options.circuits ?? CircuitZone.standalone(LONE_CIRCUITS);
    this.directory = directory;
    const router = Router.empty<RouteTarget>(settings.router_flavor);
    const streams = StreamRouter.empty<RouteTarget>(settings.router_flavor);
    this.snapshot = {
      revision: 0,
      hash: EMPTY_HASH,
      router,
      streams,
      upstreams: NO_UPSTREAMS,
      services: NO_SERVICES,
      trust: NO_TRUST,
      plugins: NO_PLUGINS,
    };
    this.policy = policyOf(settings);
    this.realIp = new RealIp(settings);
    this.errorBodies = new ErrorBodies(settings);
    this.timeouts = clientTimeouts(settings);
    this.maxRequests = settings.nginx_http_keepalive_requests;
    this.requestLimits = requestLimits(settings);
    this.trailerBytes = this.requestLimits.headBytes;
    this.http2 = http2Limits(settings);
    this.http2Options = sessionOptions(this.http2, this.requestLimits);
    this.errorLog = new ErrorLog(this.#openLog(settings.proxy_error_log), settings.log_level);
    const access = this.#openLog(settings.proxy_access_log, (line) =>
      this.errorLog.log('alert', 'log_file', line),
    );
    if (access !== null) this.accessLog = new AccessLog(access);
    this.resolver = options.resolver;
    const shared = {
      wheel: this.wheel,
      scratch: this.scratch,
      limits: responseLimits(settings),
      onDefect: (error: unknown) => this.onDefect(error),
    };
    this.upstreamTerms = new UpstreamTerms(settings);
    this.services = new ServiceMaker(this, {
      settings,
      workerId,
      records: recordsOf(options),
      shared: options.shared ?? null,
      log: (level, kind, message) => this.errorLog.log(level, kind, message),
    });
    this.#plugins = new PluginHost({ zone, services: (plugin) => this.services.of(plugin) });
    this.pool = new UpstreamPool(shared, zone, poolOptions(settings));
    this.http2Pool = new Http2Pool({ ...shared, zone }, poolOptions(settings));
    this.resolver.leaving = (ip, stays) => {
      this.pool.leave(ip, stays);
      this.http2Pool.leave(ip, stays);
    };
    this.#tls = new TlsListeners({
      wheel: this.wheel,
      zone,
      tickets: new TicketKeys(tickets ?? new TicketKeyRing().memory),
      trust: () => this.snapshot.trust,
      certificates: (streams) =>
        streams ? this.snapshot.plugins.streamCertificates : this.snapshot.plugins.certificates,
      pluginTimeout: () => this.policy.pluginTimeout,
      log: (level, message, client) =>
        this.errorLog.log(level, client === null ? 'tls' : 'tls_handshake', message, {
          client: client ?? undefined,
        }),
      onGone: () => this.#checkDrained(),
    });
    this.#tls.configure(settings);
    this.#listeners = new Listeners({
      zone,
      tls: this.#tls,
      wheel: this.wheel,
      trusts: (address) => this.realIp.trusts(address),
      headerMs: () => this.timeouts.header,
      serve: (socket, facts) => this.#serve(socket, facts),
      onRefused: (message) => this.errorLog.log('info', 'proxy_header', message),
      onError: (message) => this.errorLog.log('alert', 'accept', message),
    });
    const [streamLog, streamErrors] =
      settings.stream_listen.length === 0
        ? [null, null]
        : [this.#openLog(settings.proxy_stream_access_log), this.#openLog(settings.proxy_stream_error_log)];
    this.#streams = new Streams({
      plane: this,
      settings,
      workerId,
      wheel: this.wheel,
      zone,
      resolver: this.resolver,
      upstreamTerms: this.upstreamTerms,
      tls: this.#tls,
      errorLog: new ErrorLog(streamErrors, settings.log_level),
      accessLog: streamLog === null ? null : new StreamLog(streamLog),
      trusts: (address) => this.realIp.trusts(address),
      onIdle: () => this.#checkDrained(),
    });
  }

  /** Makes the filters of one configuration of a plugin. */
  async createPlugin(
    entity: Plugin,
    trust: Trust = this.snapshot.trust,
    staged?: UserPlugin,
  ): Promise<PluginInstance> {
    this.services.coming = trust;
    const instance = await this.#plugins.create(entity, staged);
    if (instance.broken !== null) {
      this.errorLog.log('error', 'plugin_broken', `plugin ${entity.name} (${entity.id}): ${instance.broken}`);
    }
    return instance;
  }

  applySnapshot(snapshot: Snapshot): void {
    this.snapshot = snapshot;
    this.#tls.ask(clientAsking(snapshot));
  }

  /** Settings that take effect live; the caller has refused all others. */
  updateSettings(settings: Settings): void {
    this.#settings = settings;
    this.policy = policyOf(settings);
    this.realIp = new RealIp(settings);
    this.errorBodies = new ErrorBodies(settings);
    this.timeouts = clientTimeouts(settings);
    this.maxRequests = settings.nginx_http_keepalive_requests;
    this.pool.options = this.http2Pool.options = poolOptions(settings);
    this.upstreamTerms.settings = settings;
    this.#streams.settings = settings;
    this.errorLog.setLevel(settings.log_level);
    const outdated = this.#configureTls(settings);
    for (const connection of this.#connections) {
      const peer = this.#judge(connection.peer);
      connection.peer = peer;
      if (!outdated || peer.tls === null) continue;
      connection.peer = { ...peer, outdated };
      connection.drain();
    }
  }

  /** The main thread has read the same files a moment ago. True: as `TlsListeners.configure`. */
  #configureTls(settings: Settings): boolean {
    try {
      return this.#tls.configure(settings);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.errorLog.log('error', 'tls_settings', `TLS goes on as it was: ${why}`);
      return false;
    }
  }

  /** Opens all of `proxy_listen`; unix sockets only in the first worker, as no two can share one. */
  async listen(): Promise<void> {
    for (const listener of this.#settings.proxy_listen) {
      if (listener.path === null || this.#workerId === 0) await this.#listeners.open(listener);
    }
    await this.#streams.listen();
  }

  /** Ports that are open, in the order of `proxy_listen`. */
  get ports(): number[] {
    return this.#listeners.ports;
  }

  /**
   * Stops accepting, finishes what is in flight, resolves when all connections are gone; what is left after `graceMs`
   * is cut.
   */
  async drain(graceMs: number): Promise<void> {
    this.draining = true;
    const limitMs = Math.min(graceMs, CLOSE_MS);
    await Promise.all([this.#listeners.closeQuiet(limitMs), this.#streams.closeQuiet(limitMs)]);
    this.pool.drain();
    this.http2Pool.drain();
    const gone = new Promise<void>((resolve) => (this.#drained = resolve));
    for (const connection of this.#connections) connection.drain();
    this.#checkDrained();
    const timer = setTimeout(() => this.#cut(), graceMs);
    await gone;
    clearTimeout(timer);
    await this.close();
  }

  /** Closes everything at once; logs are written out. */
  async close(): Promise<void> {
    this.#listeners.close();
    this.#streams.close();
    this.#cut();
    this.pool.drain();
    this.http2Pool.close();
    await endPlugins(this.snapshot.plugins.instances.values());
    this.services.close();
    this.resolver.close();
    this.wheel.close();
    this.errorLog.close();
    this.#streams.errorLog.close();
    // The one opened last first: the access log may still have something to say in the error log.
    await Promise.all(this.#logFiles.toReversed().map(async (file) => file.close()));
  }

  /** What plugins count, and what they cost. */
  metrics(): MetricsReport {
    return this.services.metrics.report;
  }

  async reopenLogs(): Promise<void> {
    await Promise.all(this.#logFiles.map(async (file) => file.reopen()));
  }

  // ClientContext

  takeParser(): RequestHeadParser {
    return this.#parsers.pop() ?? new RequestHeadParser(new FieldLines(NOTHING), this.requestLimits);
  }

  releaseParser(parser: RequestHeadParser): void {
    parser.reset();
    // A spare parser must not keep the read that it parsed last.
    parser.fields.reset(NOTHING);
    if (this.#parsers.length < SPARE_PARSERS) this.#parsers.push(parser);
  }

  onRequest(stream: ServerStream, head: RequestHead): void {
    new Exchange(this, stream, head).start();
  }

  onMalformed(stream: ServerStream, error: GatewayError, request: MalformedRequest): void {
    replyMalformed(this, stream, error, request);
  }

  onDefect(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.errorLog.log('crit', 'defect', `unexpected error on the request path: ${text}`);
  }

  closed(connection: ServerConnection): void {
    this.#connections.delete(connection);
    this.#checkDrained();
  }

  // ProxyContext

  reportError(exchange: Exchange, error: GatewayError): void {
    if (error.code === 'upstream_tls_failed') this.zone.increment(CELL.upstreamTlsFailures);
    const level: LogLevel = error.source === 'client' ? 'info' : 'error';
    if (!this.errorLog.enabled(level)) return;
    this.errorLog.log(level, error.code, errorText(error), errorContext(exchange));
  }

  reportHealth(line: string): void {
    this.errorLog.log('warn', 'health', line);
  }

  /** A connection that is ready for its protocol. */
  #serve(socket: net.Socket, facts: ArrivalFacts): void {
    this.zone.increment(CELL.handled);
    const Engine = facts.protocol === 'h2' ? Http2ServerSession : ClientConnection;
    this.#connections.add(new Engine(socket, this.#judge(facts), this));
  }

  /** A peer with what the settings say of it: worked out once for each connection, and again when they change. */
  #judge(facts: Omit<ArrivalFacts, 'protocol'>): Peer {
    return {
      ...facts,
      trusted: this.realIp.trusts(facts.remoteAddress),
      publicPort: this.#settings.port_maps[facts.localPort] ?? facts.localPort,
    };
  }

  #openLog(setting: string, report?: (message: string) => void): LogFile | null {
    const path = logPath(this.#settings.prefix, setting);
    if (path === null) return null;
    const open = this.#logFiles.find((file) => file.path === path);
    if (open !== undefined) return open;
    const file = new LogFile({ path, report });
    this.#logFiles.push(file);
    return file;
  }

  #cut(): void {
    for (const tunnel of this.tunnels) tunnel.destroy();
    for (const connection of this.#connections) connection.destroy();
    this.#streams.cut();
  }

  #checkDrained(): void {
    if (this.#connections.size === 0 && this.#tls.pending === 0 && this.#streams.open.size === 0) {
      this.#drained?.();
    }
  }
}

function recordsOf({
  settings,
  records: writer,
  recordCache: reader,
}: DataPlaneOptions): RecordAccess | null {
  if (settings.database === 'off' || writer === undefined || reader === undefined) return null;
  return { reader, writer };
}

function requestLimits(settings: Settings): HeadLimits {
  const { number, size } = settings.nginx_http_large_client_header_buffers;
  return {
    lineBytes: size,
    headBytes: settings.nginx_http_client_header_buffer_size + number * size,
    lines: settings.max_header_lines,
  };
}

function responseLimits(settings: Settings): HeadLimits {
  const bytes = settings.nginx_proxy_proxy_buffer_size;
  return { lineBytes: bytes, headBytes: bytes, lines: settings.max_header_lines };
}

function http2Limits(settings: Settings): Http2Limits {
  return {
    streams: settings.nginx_http_http2_max_concurrent_streams,
    preread: settings.nginx_http_http2_body_preread_size,
    sessionMemory: settings.http2_session_memory,
    readAhead: (settings.http2_session_memory * 2 ** 20) / settings.nginx_http_http2_max_concurrent_streams,
    resetBurst: settings.http2_reset_burst,
    resetRate: settings.http2_reset_rate,
  };
}

function clientTimeouts(settings: Settings): ClientTimeouts {
  return {
    keepAlive: settings.nginx_http_keepalive_timeout,
    header: settings.nginx_http_client_header_timeout,
    body: settings.nginx_http_client_body_timeout,
    send: settings.nginx_http_send_timeout,
  };
}

function poolOptions(settings: Settings): { size: number; maxRequests: number; idleMs: number } {
  return {
    size: settings.upstream_keepalive_pool_size,
    maxRequests: settings.upstream_keepalive_max_requests || Infinity,
    idleMs: settings.upstream_keepalive_idle_timeout * 1000,
  };
}
