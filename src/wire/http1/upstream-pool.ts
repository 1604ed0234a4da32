/**
 * Connections of one worker to its upstreams, kept open between exchanges (Kong's upstream_keepalive_*).
 *
 * An endpoint is one destination: address and port, and with TLS its trust and server name, so that connections that
 * differ in any of it never mix. The connection used last is taken first, so that a quiet pool shrinks by its idle
 * time-out.
 *
 * When an address has left the names that had it (`leave`), what is open to it belongs to a site that nothing is taken
 * from any more: idle connections close at once, the others after their exchange. If the address comes back, it is a
 * new site.
 *
 * With `preserve_host` clients choose the server name. What is idle is therefore bounded for an address as a whole, too:
 * beyond it the TLS connection that has waited longest gives way.
 */
import { CELL } from '../../zone/worker-zone.ts';
import type { WorkerZone } from '../../zone/worker-zone.ts';
import type { ClientStream, ClientStreamHandler } from '../message.ts';
import type { Destination } from '../tls/destination.ts';
import type { UpstreamTrust } from '../tls/upstream-trust.ts';
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
  readonly to: Destination;
  readonly site: Site;
  readonly idle: UpstreamConnection[] = [];
  open = 0;

  constructor(to: Destination, site: Site) {
    this.to = to;
    this.site = site;
  }
}

/** What is open to one address and port. */
interface Site {
  /** The address has left its name. */
  left: boolean;
  plain: Endpoint | null;
  readonly byTrust: Map<UpstreamTrust, Map<string, Endpoint>>;
  /** Idle TLS connections, the one that has waited longest first. */
  readonly waiting: Set<UpstreamConnection>;
}

export class UpstreamPool {
  readonly #zone: WorkerZone;
  readonly #shared: Omit<UpstreamContext, 'release' | 'closed'>;
  #options: PoolOptions;
  /** By address, then by port: a look-up makes no string. */
  readonly #sites = new Map<string, Map<number, Site>>();
  readonly #endpoints = new Set<Endpoint>();
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
  take(to: Destination, timeouts: UpstreamTimeouts, handler: ClientStreamHandler): ClientStream {
    const endpoint = this.#endpoint(to);
    const idle = endpoint.idle.pop();
    if (idle !== undefined) {
      if (to.tls !== null) endpoint.site.waiting.delete(idle);
      this.#zone.decrement(CELL.upstreamIdle);
      this.#zone.increment(CELL.upstreamReuses);
      idle.take(handler, timeouts);
      return idle;
    }
    return this.#connect(endpoint, timeouts, handler);
  }

  /** A new connection, whatever is idle: for a try after a stale one. */
  fresh(to: Destination, timeouts: UpstreamTimeouts, handler: ClientStreamHandler): ClientStream {
    return this.#connect(this.#endpoint(to), timeouts, handler);
  }

  /** Ends idle connections now, others after their exchange. */
  drain(): void {
    this.#draining = true;
    for (const { idle } of this.#endpoints) for (const connection of idle.slice()) connection.close();
  }

  /** Lets go of what is open to an address. @param stays a port that it does not concern. */
  leave(host: string, stays: (port: number) => boolean): void {
    const ports = this.#sites.get(host);
    if (ports === undefined) return;
    for (const [port, site] of ports) {
      if (stays(port)) continue;
      site.left = true;
      ports.delete(port);
      for (const { idle } of endpointsOf(site)) for (const connection of idle.slice()) connection.close();
    }
    if (ports.size === 0) this.#sites.delete(host);
  }

  #connect(endpoint: Endpoint, timeouts: UpstreamTimeouts, handler: ClientStreamHandler): ClientStream {
    endpoint.open++;
    this.#endpoints.add(endpoint);
    this.#zone.increment(CELL.upstreamConnects);
    const connection = new UpstreamConnection(endpoint.to, timeouts, {
      ...this.#shared,
      release: (free) => this.#release(endpoint, free),
      closed: (gone) => this.#closed(endpoint, gone),
    });
    connection.take(handler, timeouts);
    return connection;
  }

  #release(endpoint: Endpoint, connection: UpstreamConnection): void {
    const { size, maxRequests, idleMs } = this.#options;
    const over = this.#draining || endpoint.site.left;
    if (over || endpoint.idle.length >= size || connection.requests >= maxRequests) {
      connection.close();
      return;
    }
    endpoint.idle.push(connection);
    this.#zone.increment(CELL.upstreamIdle);
    connection.rest(idleMs === 0 ? NO_LIMIT_MS : idleMs);
    if (endpoint.to.tls === null) return;
    const { waiting } = endpoint.site;
    waiting.add(connection);
    if (waiting.size > size) waiting.values().next().value?.close();
  }

  #closed(endpoint: Endpoint, connection: UpstreamConnection): void {
    const at = endpoint.idle.lastIndexOf(connection);
    if (at >= 0) {
      endpoint.idle.splice(at, 1);
      endpoint.site.waiting.delete(connection);
      this.#zone.decrement(CELL.upstreamIdle);
    }
    endpoint.open--;
    if (endpoint.open === 0) this.#forget(endpoint);
  }

  #forget(endpoint: Endpoint): void {
    const { to, site } = endpoint;
    this.#endpoints.delete(endpoint);
    if (to.tls === null) site.plain = null;
    else {
      const names = site.byTrust.get(to.tls.trust);
      names?.delete(to.tls.serverName);
      if (names?.size === 0) site.byTrust.delete(to.tls.trust);
    }
    if (site.left || site.plain !== null || site.byTrust.size > 0) return;
    const ports = this.#sites.get(to.host);
    ports?.delete(to.port);
    if (ports?.size === 0) this.#sites.delete(to.host);
  }

  #endpoint(to: Destination): Endpoint {
    const site = this.#site(to);
    if (to.tls === null) return (site.plain ??= new Endpoint(to, site));
    const { trust, serverName } = to.tls;
    let names = site.byTrust.get(trust);
    if (names === undefined) site.byTrust.set(trust, (names = new Map()));
    let endpoint = names.get(serverName);
    if (endpoint === undefined) names.set(serverName, (endpoint = new Endpoint(to, site)));
    return endpoint;
  }

  #site({ host, port }: Destination): Site {
    let ports = this.#sites.get(host);
    if (ports === undefined) this.#sites.set(host, (ports = new Map()));
    let site = ports.get(port);
    if (site === undefined) ports.set(port, (site = newSite()));
    return site;
  }
}

function newSite(): Site {
  return { left: false, plain: null, byTrust: new Map(), waiting: new Set() };
}

function endpointsOf({ plain, byTrust }: Site): Endpoint[] {
  const endpoints = plain === null ? [] : [plain];
  for (const names of byTrust.values()) endpoints.push(...names.values());
  return endpoints;
}
