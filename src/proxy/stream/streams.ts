/** TCP, TLS and UDP of one worker: its listeners of `stream_listen`, and the streams that came by them. */
import type * as net from 'node:net';
import type { Listener, Settings } from '../../settings/settings.ts';
import { closeQuiet } from '../close-quiet.ts';
import { openTcp } from './arrive.ts';
import type { Stream, StreamBounds, StreamContext } from './stream.ts';
import type { UdpListener } from './udp.ts';

export type StreamsOptions = Omit<StreamContext, 'bounds' | 'open' | 'snapshot' | 'trusts' | 'publicPort'> & {
  readonly plane: Pick<StreamContext, 'snapshot'>;
  readonly workerId: number;
  readonly trusts: (address: string) => boolean;
  readonly settings: Settings;
};

export class Streams implements StreamContext {
  readonly wheel: StreamContext['wheel'];
  readonly zone: StreamContext['zone'];
  readonly resolver: StreamContext['resolver'];
  readonly upstreamTerms: StreamContext['upstreamTerms'];
  readonly tls: StreamContext['tls'];
  readonly errorLog: StreamContext['errorLog'];
  readonly accessLog: StreamContext['accessLog'];
  readonly open = new Set<Stream>();
  readonly onIdle: () => void;
  readonly trusts: (address: string) => boolean;
  bounds: StreamBounds;
  readonly #plane: Pick<StreamContext, 'snapshot'>;
  readonly #workerId: number;
  #settings: Settings;
  readonly #servers: net.Server[] = [];
  readonly #udp: UdpListener[] = [];
  #accepted = 0;

  constructor(options: StreamsOptions) {
    this.wheel = options.wheel;
    this.zone = options.zone;
    this.resolver = options.resolver;
    this.upstreamTerms = options.upstreamTerms;
    this.tls = options.tls;
    this.errorLog = options.errorLog;
    this.accessLog = options.accessLog;
    this.onIdle = options.onIdle;
    this.trusts = options.trusts;
    this.#plane = options.plane;
    this.#workerId = options.workerId;
    this.#settings = options.settings;
    this.bounds = boundsOf(options.settings);
  }

  get snapshot(): StreamContext['snapshot'] {
    return this.#plane.snapshot;
  }

  publicPort(localPort: number): number {
    return this.#settings.port_maps[localPort] ?? localPort;
  }

  set settings(settings: Settings) {
    this.#settings = settings;
    this.bounds = boundsOf(settings);
    this.errorLog.setLevel(settings.log_level);
  }

  /** Opens all of `stream_listen`; unix sockets only in the first worker. @throws Error when an address cannot be had. */
  async listen(): Promise<void> {
    for (const listener of this.#settings.stream_listen) {
      if (listener.path === null || this.#workerId === 0) await this.#listen(listener);
    }
  }

  async #listen(listener: Listener): Promise<void> {
    if (!listener.udp) {
      this.#servers.push(await openTcp(listener, this, () => void this.#accepted++));
      return;
    }
    const { UdpListener } = await import('./udp.ts');
    this.#udp.push(await UdpListener.open(listener, this));
  }

  /** Takes no new streams, and loses none that the kernel holds for us. */
  async closeQuiet(limitMs: number): Promise<void> {
    for (const udp of this.#udp) udp.drain();
    await closeQuiet(this.#servers, () => this.#accepted, limitMs);
  }

  cut(): void {
    for (const stream of this.open) stream.end();
  }

  close(): void {
    for (const server of this.#servers) server.close();
    this.cut();
    for (const udp of this.#udp.splice(0)) udp.close();
  }
}

function boundsOf(settings: Settings): StreamBounds {
  return {
    connections: settings.stream_connections,
    udpSessions: settings.stream_udp_sessions,
    pluginTimeout: settings.plugin_timeout,
    responses: settings.nginx_sproxy_proxy_responses,
  };
}
