/** The head that goes upstream: Host, path, and what Kong tells an upstream of the client (its request headers). */
import { escapePath, upstreamPath } from '../../router/path.ts';
import type { RouteTarget, ServiceTarget } from '../../snapshot/snapshot.ts';
import type { Headers, OutgoingRequest } from '../../wire/message.ts';
import type { Exchange } from '../exchange.ts';

/** The Host header may be another with each attempt. */
export type UpstreamHead = OutgoingRequest & { authority: string };

/** Edits the request's headers in place: made once, before the first attempt. */
export function upstreamHead(exchange: Exchange, route: RouteTarget, service: ServiceTarget): UpstreamHead {
  const { request } = exchange;
  // Before the headers are edited: it may be a plugin's that reads them.
  const target = upstreamTarget(exchange);
  addForwarded(exchange, route, request.headers);
  const { edits } = exchange;
  return {
    method: edits?.method ?? request.method,
    target,
    authority: edits?.host ?? (keepsHost(exchange, route) ? request.authority : service.hostHeader),
    headers: request.headers,
    bodyLength: request.bodyLength,
    // Kong passes WebSocket on and no other protocol.
    upgrade: request.upgrade === 'websocket' && !service.grpc ? request.upgrade : '',
    // A gRPC server may refuse who does not say so; the client gets trailers only when it takes them.
    acceptsTrailers: request.acceptsTrailers || service.grpc,
  };
}

/** The upstream is sent the client's Host header. */
export function keepsHost(exchange: Exchange, route: RouteTarget): boolean {
  return route.preserveHost && exchange.request.authority !== '';
}

/** Path and query, as the upstream is asked. */
export function upstreamTarget(exchange: Exchange, service = exchange.service): string {
  const { edits } = exchange;
  const target = mappedTarget(exchange, service);
  if (edits === null || (edits.path === null && edits.query === null)) return target;
  const mark = target.indexOf('?');
  const path = edits.path ?? (mark < 0 ? target : target.slice(0, mark));
  const query = edits.query ?? (mark < 0 ? '' : target.slice(mark + 1));
  return query === '' ? path : `${path}?${query}`;
}

function mappedTarget(exchange: Exchange, service: ServiceTarget | null): string {
  const { target } = exchange.request;
  const { route } = exchange;
  if (target === '*' || route === null || service === null) return target;
  const path = upstreamPath(
    service.path,
    exchange.path,
    exchange.matchedPrefix,
    route.stripPath,
    route.pathHandling,
  );
  const { length } = exchange.rawPath;
  // The common case sends the very string that came; a bare `?` stays.
  if (path === exchange.rawPath) return target;
  return length === target.length ? path : path + target.slice(length);
}

function addForwarded(exchange: Exchange, route: RouteTarget, headers: Headers): void {
  const { peer, context, clientIp } = exchange;
  const { policy } = context;
  const trusted = peer.trusted;
  const forwardedFor = headers.get('x-forwarded-for');
  headers.set('X-Real-IP', clientIp);
  headers.set(
    'X-Forwarded-For',
    forwardedFor === undefined
      ? clientIp
      : `${headers.all('x-forwarded-for').join(', ')}, ${peer.remoteAddress}`,
  );
  if (!stands(headers, 'x-forwarded-proto', trusted)) headers.set('X-Forwarded-Proto', exchange.scheme);
  if (!stands(headers, 'x-forwarded-host', trusted)) {
    if (exchange.hostname === '') headers.remove('x-forwarded-host');
    else headers.set('X-Forwarded-Host', exchange.hostname);
  }
  if (!stands(headers, 'x-forwarded-port', trusted)) headers.set('X-Forwarded-Port', String(peer.publicPort));
  if (!stands(headers, 'x-forwarded-path', trusted)) headers.set('X-Forwarded-Path', exchange.rawPath);
  if (!stands(headers, 'x-forwarded-prefix', trusted)) {
    if (route.stripPath && exchange.matchedPrefix !== '' && exchange.matchedPrefix !== '/') {
      // Decoded, it may hold any byte, also the end of a line.
      headers.set('X-Forwarded-Prefix', escapePath(exchange.matchedPrefix));
    } else {
      headers.remove('x-forwarded-prefix');
    }
  }
  const via = headers.get('via');
  const own = `${exchange.request.version} ${policy.serverToken}`;
  headers.set('Via', via === undefined ? own : `${headers.all('via').join(', ')}, ${own}`);
  if (policy.upstreamRequestId) headers.set('X-Kong-Request-Id', exchange.id);
}

/** What a trusted proxy has said stands; of several lines the first, since it is the one that the gateway reads. */
function stands(headers: Headers, name: string, trusted: boolean): boolean {
  if (!trusted || !headers.has(name)) return false;
  if (headers.repeats(name)) headers.set(name, headers.get(name) ?? '');
  return true;
}
