/**
 * One stream: a TCP or TLS connection, or the UDP session of one client, from its arrival to its line in the log.
 *
 *     arrive.ts ──> route.ts ──> (tls.ts) ──> connect.ts ──> relay.ts ──> finish.ts
 *     udp.ts    ──> route.ts ───────────────> udp-session.ts ───────────> finish.ts
 *
 * It keeps the route that it was given when it came: a reload changes nothing for it.
 */
import { performance } from 'node:perf_hooks';
import type { Resolver } from '../../balancer/resolver/resolver.ts';
import type { TimerWheel } from '../../lib/timer-wheel.ts';
import type { ErrorLog } from '../../observe/error-log.ts';
import type { StreamLog } from '../../observe/stream-log.ts';
import type { StreamTransport } from '../../router/stream-router.ts';
import type { LogLevel } from '../../settings/settings.ts';
import type { RouteTarget, Snapshot } from '../../snapshot/snapshot.ts';
import type { TargetLoad } from '../../zone/targets/target-load.ts';
import { CELL, type WorkerZone } from '../../zone/worker-zone.ts';
import type { TlsFacts } from '../../wire/message.ts';
import type { TlsListeners } from '../tls-listeners.ts';
import type { UpstreamTerms } from '../forward/upstream-terms.ts';
import { finishStream } from './finish.ts';
import type { StreamView } from './stream-view.ts';

/** What all streams of a worker share. */
export interface StreamContext {
  readonly wheel: TimerWheel;
  readonly zone: WorkerZone;
  readonly resolver: Resolver;
  readonly upstreamTerms: UpstreamTerms;
  readonly tls: TlsListeners;
  readonly errorLog: ErrorLog;
  readonly accessLog: StreamLog | null;
  readonly snapshot: Snapshot;
  readonly bounds: StreamBounds;
  /** Is the address one of `trusted_ips`? */
  trusts(address: string): boolean;
  /** After `port_maps`. */
  publicPort(localPort: number): number;
  /** Streams that are open. */
  readonly open: Set<Stream>;
  /** The last one has ended. */
  onIdle(): void;
}

export interface StreamBounds {
  /** Of the node. */
  readonly connections: number;
  /** Of the node. */
  readonly udpSessions: number;
  /** Milliseconds that a filter of a plugin may wait. */
  readonly pluginTimeout: number;
  /** nginx's `proxy_responses`. */
  readonly responses: number | null;
}

export interface StreamArrival {
  readonly clientIp: string;
  readonly clientPort: number;
  readonly localIp: string;
  readonly localPort: number;
}

export class Stream {
  readonly context: StreamContext;
  /** Replaced when a PROXY header says more. */
  arrival: StreamArrival;
  /** Of the socket: that of a proxy in front, where there is one. */
  readonly socketIp: string;
  /** What the handshake said, where TLS ends here. */
  tls: TlsFacts | null = null;
  /** For plugins; made when the first one asks. */
  view: StreamView | null = null;
  readonly startedAt = performance.now();
  transport: StreamTransport;
  /** Of the ClientHello. */
  serverName = '';
  route: RouteTarget | null = null;
  /** Of the snapshot that it came in. */
  readonly snapshot: Snapshot;
  /** Where the current try goes, for logs. */
  upstream = '';
  /** Of the target that it is on, when the upstream's algorithm goes by it. */
  load: TargetLoad | null = null;
  status = 200;
  bytesSent = 0;
  bytesReceived = 0;
  over = false;
  /** Cuts whatever is open now: set by the step that the stream is in. */
  cut: () => void = () => {};

  constructor(context: StreamContext, arrival: StreamArrival, transport: StreamTransport) {
    this.context = context;
    this.arrival = arrival;
    this.socketIp = arrival.clientIp;
    this.transport = transport;
    this.snapshot = context.snapshot;
    context.open.add(this);
    context.zone.increment(CELL.streamsHandled);
    context.zone.increment(transport === 'udp' ? CELL.udpSessions : CELL.streams);
  }

  /** It is on that target now, and on no other. */
  on(load: TargetLoad | null): void {
    this.load?.end();
    this.load = load;
    load?.begin();
  }

  log(level: LogLevel, kind: string, message: string): void {
    const { errorLog } = this.context;
    if (!errorLog.enabled(level)) return;
    const service = this.route?.service ?? null;
    errorLog.log(level, kind, message, {
      client: this.arrival.clientIp,
      upstream: this.upstream === '' ? undefined : this.upstream,
      host: this.serverName === '' ? undefined : this.serverName,
      route: this.route === null ? undefined : (this.route.name ?? this.route.id),
      service: service === null ? undefined : (service.name ?? service.id),
    });
  }

  /** It does not come to an upstream. */
  refuse(status: number, kind: string, message: string, level: LogLevel = 'error'): void {
    if (this.over) return;
    this.status = status;
    this.context.zone.increment(CELL.streamsRefused);
    this.log(level, kind, message);
    this.end();
  }

  /** Everything is closed, or is closed now. */
  end(): void {
    if (this.over) return;
    this.over = true;
    this.on(null);
    this.cut();
    finishStream(this);
  }
}
