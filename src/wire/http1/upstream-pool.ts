/**
 * Connections of one worker to its upstreams, kept open between exchanges (Kong's upstream_keepalive_*).
 *
 * An endpoint is one address and port (TLS will add what its trust depends on: connections that differ in it never
 * mix). The connection used last is taken first, so that a quiet pool shrinks by its idle time-out.
 */
import { CELL } from '../../zone/worker-zone.ts';
import type { WorkerZone } from '../../zone/worker-zone.ts';
import type { ClientStream, ClientStreamHandler } from '../message.ts';
import { UpstreamConnection } from './upstream-connection.ts';
import type { UpstreamContext, UpstreamTimeouts } from './upstream-connection.ts';

export interface PoolOptions {
  /** Idle connections to one endpoint; 0 keeps none. */
  readonly size: number;
  /** Requests that one connection serves. */
  readonly maxRequests: number;
  /** Milliseconds; 0 keeps a connection as long as the upstream does. */
  readonly idleMs: number;
}

/** Longer than this a timer is never armed for; stands for "for ever". */
const NO_LIMIT_MS = 2 ** 31;

class Endpoint {
  readonly host: string;
  readonly port: number;
  readonly idle: UpstreamConnection[] = [];
  open = 0;

  constructor(host: string, port: number) {
    this.host = host;
    this.port = port;
  }
}

export class UpstreamPool {
  readonly #zone: WorkerZone;
  readonly #shared: Omit<UpstreamContext, 'release' | 'closed'>;
  #options: PoolOptions;
  /** By address, then by port: a look-up makes no string. */
  readonly #endpoints = new Map<string, Map<number, Endpoint>>();
  #draining = false;

  constructor(shared: Omit<UpstreamContext, 'release' | 'closed'>, zone: WorkerZone, options: PoolOptions) {
    this.#shared = shared;
    this.#zone = zone;
    this.#options = options;
  }

  set options(options: PoolOptions) {
    this.#options = options;
  }

  /** A connection to an IP address: an idle one (`ready`), or one that is being made. */
  take(host: string, port: number, timeouts: UpstreamTimeouts, handler: ClientStreamHandler): ClientStream {
    const endpoint = this.#endpoint(host, port);
    const idle = endpoint.idle.pop();
    if (idle !== undefined) {
      this.#zone.decrement(CELL.upstreamIdle);
      this.#zone.increment(CELL.upstreamReuses);
      idle.take(handler, timeouts);
      return idle;
    }
    return this.#connect(endpoint, timeouts, handler);
  }

  /** A new connection, whatever is idle: for a try after a stale one. */
  fresh(host: string, port: number, timeouts: UpstreamTimeouts, handler: ClientStreamHandler): ClientStream {
    return this.#connect(this.#endpoint(host, port), timeouts, handler);
  }

  /** Ends idle connections now, others after their exchange. */
  drain(): void {
    this.#draining = true;
    for (const ports of this.#endpoints.values()) {
      for (const endpoint of ports.values())
        for (const connection of endpoint.idle.slice()) connection.close();
    }
  }

  #connect(endpoint: Endpoint, timeouts: UpstreamTimeouts, handler: ClientStreamHandler): ClientStream {
    endpoint.open++;
    this.#zone.increment(CELL.upstreamConnects);
    const connection = new UpstreamConnection(endpoint, timeouts, {
      ...this.#shared,
      release: (free) => this.#release(endpoint, free),
      closed: (gone) => this.#closed(endpoint, gone),
    });
    connection.take(handler, timeouts);
    return connection;
  }

  #release(endpoint: Endpoint, connection: UpstreamConnection): void {
    const { size, maxRequests, idleMs } = this.#options;
    if (this.#draining || endpoint.idle.length >= size || connection.requests >= maxRequests) {
      connection.close();
      return;
    }
    endpoint.idle.push(connection);
    this.#zone.increment(CELL.upstreamIdle);
    connection.rest(idleMs === 0 ? NO_LIMIT_MS : idleMs);
  }

  #closed(endpoint: Endpoint, connection: UpstreamConnection): void {
    const at = endpoint.idle.lastIndexOf(connection);
    if (at >= 0) {
      endpoint.idle.splice(at, 1);
      this.#zone.decrement(CELL.upstreamIdle);
    }
    endpoint.open--;
    if (endpoint.open > 0) return;
    const ports = this.#endpoints.get(endpoint.host);
    ports?.delete(endpoint.port);
    if (ports?.size === 0) this.#endpoints.delete(endpoint.host);
  }

  #endpoint(host: string, port: number): Endpoint {
    let ports = this.#endpoints.get(host);
    if (ports === undefined) this.#endpoints.set(host, (ports = new Map()));
    let endpoint = ports.get(port);
    if (endpoint === undefined) ports.set(port, (endpoint = new Endpoint(host, port)));
    return endpoint;
  }
}
