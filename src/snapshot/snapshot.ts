/**
 * A snapshot: one revision of the configuration as the request path uses it, immutable once published.
 *
 * A worker holds one reference to the current snapshot and replaces it whole; a request keeps the one that it
 * began with. Everything that the request path needs of a route and its service is computed here once, so that a
 * request reads plain fields of objects that all have the same shape.
 */
import type { Route } from '../entities/route.ts';
import type { Service } from '../entities/service.ts';
import type { PluginSet } from '../plugins/engine/plugin-set.ts';
import type { Router } from '../router/router.ts';
import type { StreamRouter } from '../router/stream-router.ts';
import type { Services } from './services.ts';
import type { Trust } from './trust.ts';
import type { Balancing, Upstreams } from './upstreams.ts';

export interface Snapshot {
  /** Number of the committed change; 0 is the empty configuration of a gateway without a file. */
  readonly revision: number;
  /** MD5 of the configuration's text, 32 hex digits (Kong's `configuration_hash`); 32 zeros when empty. */
  readonly hash: string;
  readonly router: Router<RouteTarget>;
  /** Routes of tcp, tls, tls_passthrough and udp. */
  readonly streams: StreamRouter<RouteTarget>;
  readonly upstreams: Upstreams;
  /** For requests that go to another service than their route's. */
  readonly services: Services;
  /** Certificates, server names, authorities. */
  readonly trust: Trust;
  readonly plugins: PluginSet;
}

/** Kong's hash of an empty configuration. */
export const EMPTY_HASH = '0'.repeat(32);

/** Bits of {@link RouteTarget.protocols}. */
export const PROTOCOL_HTTP = 1;
export const PROTOCOL_HTTPS = 2;
export const PROTOCOL_GRPC = 4;
export const PROTOCOL_GRPCS = 8;

/** What the request path needs of a service. Routes of one service share one object. */
export interface ServiceTarget {
  readonly id: string;
  readonly name: string | null;
  /** The upstream leg is TLS (`https`, `grpcs`). */
  readonly tls: boolean;
  /** Kong's `grpc` and `grpcs`: nothing is buffered, and statuses are gRPC's. */
  readonly grpc: boolean;
  /** What the upstream leg speaks. */
  readonly upstreamProtocol: 'http/1.1' | 'h2';
  /** Name or address as configured, without brackets around IPv6. */
  readonly host: string;
  readonly port: number;
  /** For `Upstreams.of`, which answers whether the host is an upstream; port and Host header are its targets' then. */
  readonly balancing: Balancing;
  /** Host header sent upstream unless `preserve_host`: host, with the port unless it is the scheme's default. */
  readonly hostHeader: string;
  /** Kong's service path, `/` when unset. */
  readonly path: string;
  /** Further attempts after the first. */
  readonly retries: number;
  /** Milliseconds. */
  readonly timeouts: { readonly connect: number; readonly write: number; readonly read: number };
  /** The whole entity, for logs. */
  readonly entity: Service;
}

/** A compiled route: what the router answers. */
export interface RouteTarget {
  readonly id: string;
  readonly name: string | null;
  /** Null: a route without a service (503 "no Service found with those values"). */
  readonly service: ServiceTarget | null;
  /**
   * Why this route cannot be served, or null. A broken route keeps its place in the router and answers 503; the
   * text is for the log and never for the client.
   */
  readonly broken: string | null;
  /** PROTOCOL_* bits that the route accepts; a request of another one is refused after the match. */
  readonly protocols: number;
  /** 426 answers "Please use HTTPS protocol", the others redirect. */
  readonly httpsRedirectStatus: 426 | 301 | 302 | 307 | 308;
  readonly stripPath: boolean;
  readonly preserveHost: boolean;
  /** Effective: `v1` only with the flavour `traditional`. */
  readonly pathHandling: 'v0' | 'v1';
  readonly requestBuffering: boolean;
  readonly responseBuffering: boolean;
  /** The whole entity, for logs. */
  readonly entity: Route;
}
