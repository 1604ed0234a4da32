/** The route phase: which route takes the request, and what is refused before any upstream is asked. */
import { GatewayError } from '../lib/gateway-error.ts';
import type { Match } from '../router/router.ts';
import { PROTOCOL_GRPC, PROTOCOL_GRPCS, PROTOCOL_HTTP, PROTOCOL_HTTPS } from '../snapshot/snapshot.ts';
import type { RouteTarget, ServiceTarget } from '../snapshot/snapshot.ts';
import type { Exchange } from './exchange.ts';
import { isGrpcContentType } from './grpc-status.ts';
import { replyEmpty, replyMessage } from './reply.ts';

/** The match, or null when the request was answered. */
export function routeRequest(exchange: Exchange): Match<RouteTarget> | null {
  const match = exchange.snapshot.router.match(exchange);
  if (match !== null) return match;
  replyMessage(exchange, 404, 'no Route matched with those values');
  return null;
}

/** True when the route does not take the request, which was answered (Kong checks protocols after the match). */
export function refuseRequest(exchange: Exchange, route: RouteTarget): boolean {
  if (route.broken !== null) {
    const init = { source: 'gateway', status: 503, cause: route.broken } as const;
    exchange.fail(new GatewayError('broken_route', 'The route is not available', init));
    return true;
  }
  const httpsOnly = (route.protocols & (PROTOCOL_HTTP | PROTOCOL_HTTPS)) === PROTOCOL_HTTPS;
  if (httpsOnly && forwardedScheme(exchange) !== 'https') {
    redirectToHttps(exchange, route);
    return true;
  }
  return (route.protocols & (PROTOCOL_GRPC | PROTOCOL_GRPCS)) !== 0 && refuseNotGrpc(exchange, route);
}

/** The service to forward to, or null when the request was answered: plugins may have done so in its place before. */
export function serviceOf(exchange: Exchange): ServiceTarget | null {
  const { service } = exchange;
  if (service === null) {
    const init = { source: 'gateway', status: 503 } as const;
    exchange.fail(new GatewayError('no_service', 'no Service found with those values', init));
  }
  return service;
}

/** On a route of gRPC: true when the request is not what it takes, and was answered. */
function refuseNotGrpc(exchange: Exchange, route: RouteTarget): boolean {
  const { request } = exchange;
  if (!isGrpcContentType(request.headers.get('content-type'))) {
    replyMessage(exchange, 415, 'Non-gRPC request matched gRPC route');
    return true;
  }
  if (request.version !== '2') {
    replyMessage(exchange, 426, 'Please use HTTP2 protocol', ['Connection', 'Upgrade', 'Upgrade', 'HTTP/2']);
    return true;
  }
  if ((route.protocols & PROTOCOL_GRPC) !== 0 || forwardedScheme(exchange) === 'https') return false;
  replyEmpty(exchange, 200, [
    'Content-Type',
    'application/grpc',
    'grpc-status',
    '1',
    'grpc-message',
    'gRPC request matched gRPCs route',
  ]);
  return true;
}

/** Scheme that the client used, as far as a trusted proxy in front says another than ours. */
function forwardedScheme(exchange: Exchange): string {
  const { peer } = exchange;
  const forwarded = peer.trusted ? exchange.request.headers.get('x-forwarded-proto') : undefined;
  return forwarded === undefined ? exchange.scheme : forwarded.toLowerCase();
}

function redirectToHttps(exchange: Exchange, route: RouteTarget): void {
  if (route.httpsRedirectStatus === 426) {
    replyMessage(exchange, 426, 'Please use HTTPS protocol', [
      'Connection',
      'Upgrade',
      'Upgrade',
      'TLS/1.2, HTTP/1.1',
    ]);
    return;
  }
  const { peer } = exchange;
  const forwarded = peer.trusted ? exchange.request.headers.get('x-forwarded-host') : undefined;
  const host = forwarded ?? (exchange.hostname || bracketed(peer.localAddress));
  replyEmpty(exchange, route.httpsRedirectStatus, ['Location', `https://${host}${exchange.request.target}`]);
}

/** An address as it stands in a URI. */
function bracketed(ip: string): string {
  return ip.includes(':') ? `[${ip}]` : ip;
}
