/** Entities → what the request path reads: pure functions from a route and its service to their targets. */
import type { Route, RouteProtocol } from '../entities/route.ts';
import { isStreamRoute } from '../router/stream-router.ts';
import type { Service } from '../entities/service.ts';
import {
  PROTOCOL_GRPC,
  PROTOCOL_GRPCS,
  PROTOCOL_HTTP,
  PROTOCOL_HTTPS,
  type RouteTarget,
  type ServiceTarget,
} from './snapshot.ts';

const PROTOCOL_BITS: Readonly<Partial<Record<RouteProtocol, number>>> = {
  http: PROTOCOL_HTTP,
  https: PROTOCOL_HTTPS,
  grpc: PROTOCOL_GRPC,
  grpcs: PROTOCOL_GRPCS,
};

/** Service protocols that an HTTP exchange can be sent to. */
const UPSTREAM_PROTOCOLS: ReadonlySet<string> = new Set(['http', 'https', 'grpc', 'grpcs']);

export function takesRequests(protocol: string): boolean {
  return UPSTREAM_PROTOCOLS.has(protocol);
}

export function protocolMask(protocols: readonly RouteProtocol[]): number {
  let mask = 0;
  for (const protocol of protocols) mask |= PROTOCOL_BITS[protocol] ?? 0;
  return mask;
}

export function compileService(service: Service): ServiceTarget {
  const tls = ['https', 'grpcs', 'tls'].includes(service.protocol);
  const grpc = service.protocol === 'grpc' || service.protocol === 'grpcs';
  const host = service.host.startsWith('[') ? service.host.slice(1, -1) : service.host;
  const authority = host.includes(':') ? `[${host}]` : host;
  return {
    id: service.id,
    name: service.name,
    tls,
    grpc,
    upstreamProtocol: grpc ? 'h2' : 'http/1.1',
    host,
    port: service.port,
    balancing: { upstreams: null, balancer: null },
    hostHeader: service.port === (tls ? 443 : 80) ? authority : `${authority}:${service.port}`,
    path: service.path ?? '/',
    retries: service.retries,
    timeouts: { connect: service.connect_timeout, write: service.write_timeout, read: service.read_timeout },
    entity: service,
  };
}

/**
 * @param service the target of `route.service`; undefined when the configuration does not have it.
 * @param pathHandlingV1 the flavour honours `path_handling: v1`.
 */
export function compileRoute(
  route: Route,
  service: ServiceTarget | undefined,
  pathHandlingV1: boolean,
): RouteTarget {
  return {
    id: route.id,
    name: route.name,
    service: service ?? null,
    broken: whyBroken(route, service),
    protocols: protocolMask(route.protocols),
    httpsRedirectStatus: route.https_redirect_status_code,
    stripPath: route.strip_path,
    preserveHost: route.preserve_host,
    pathHandling: pathHandlingV1 ? route.path_handling : 'v0',
    requestBuffering: route.request_buffering,
    responseBuffering: route.response_buffering,
    entity: route,
  };
}

/**
 * Service protocols that a stream can be sent to. As in Kong the stream keeps its own transport, whatever the service
 * says; `tls` encrypts it, and the default of services, `http`, is as good as `tcp`.
 */
const STREAM_UPSTREAMS: ReadonlySet<string> = new Set(['tcp', 'tls', 'udp', 'tls_passthrough', 'http']);

function whyBroken(route: Route, service: ServiceTarget | undefined): string | null {
  if (route.service === null) return null;
  if (service === undefined) return `service ${route.service.id} does not exist`;
  const { protocol } = service.entity;
  if (isStreamRoute(route)) {
    return STREAM_UPSTREAMS.has(protocol) ? null : `service protocol ${protocol} cannot take a stream`;
  }
  if (!takesRequests(protocol)) return `service protocol ${protocol} cannot take an HTTP request`;
  return null;
}

/**
 * What keeps the place of a route whose pattern does not compile: the same route with each path regex replaced by
 * its literal beginning, still as a regex so that the priority stays, and each header regex by one that matches
 * everything. It matches at least what the route would have matched, so that no request falls through to another.
 */
export function placeholderRoute(route: Route): Route {
  const paths = route.paths?.map((path) =>
    path.startsWith('~') ? `~${literalPrefix(path.slice(1))}` : path,
  );
  const headers =
    route.headers === null
      ? null
      : Object.fromEntries(
          Object.entries(route.headers).map(([name, values]) => [
            name,
            values.map((value) => (value.startsWith('~*') ? '~*.*' : value)),
          ]),
        );
  return { ...route, paths: paths ?? null, headers };
}

/** The longest beginning that every match of the pattern has: ends before a metacharacter and what it quantifies. */
function literalPrefix(pattern: string): string {
  if (pattern.includes('|')) return '/';
  const literal = /^[\w/~%@!&'=,;:-]*/.exec(pattern)?.[0] ?? '';
  const next = pattern[literal.length];
  const quantified = next === '*' || next === '?' || next === '{';
  return (quantified ? literal.slice(0, -1) : literal) || '/';
}
