/** What the error log says of a request: who asked for what, where it was to go, by which route and service. */
import type { GatewayError } from '../lib/gateway-error.ts';
import type { ErrorContext } from '../observe/error-log.ts';
import type { Exchange } from './exchange.ts';
import type { Forward } from './forward/forward.ts';

export function errorContext(exchange: Exchange): ErrorContext {
  const { request, forward, route } = exchange;
  const { service } = exchange;
  return {
    client: exchange.clientIp,
    request: `${request.method} ${request.rawTarget} HTTP/${request.version}`,
    upstream:
      forward === null || forward.address === ''
        ? undefined
        : upstreamOf(forward, service?.tls === true ? 'https' : 'http'),
    host: request.authority,
    route: route === null ? undefined : (route.name ?? route.id),
    service: service === null ? undefined : (service.name ?? service.id),
    requestId: exchange.id,
  };
}

/** The code in words, and the cause that no client sees. */
export function errorText({ code, cause }: GatewayError): string {
  const reason = cause instanceof Error ? cause.message : cause;
  const words = code.replaceAll('_', ' ');
  return typeof reason === 'string' ? `${words}: ${reason}` : words;
}

function upstreamOf({ address, port }: Pick<Forward, 'address' | 'port'>, scheme: string): string {
  return `${scheme}://${address.includes(':') ? `[${address}]` : address}:${port}`;
}
