/** Kong's answers when the forward phase finds no address to go to. */
import { DnsError } from '../../balancer/resolver/resolver.ts';
import { GatewayError } from '../../lib/gateway-error.ts';

/** An upstream has no target that could be asked. */
export function noPeer(): GatewayError {
  const init = { source: 'gateway', status: 503 } as const;
  return new GatewayError('no_peer', 'failure to get a peer from the ring-balancer', init);
}

/** The name of a service does not resolve. */
export function resolveError(host: string, cause: unknown): GatewayError {
  const unknown = cause instanceof DnsError && (cause.code === 'name_error' || cause.code === 'empty');
  if (unknown) {
    return new GatewayError('name_resolution_failed', 'name resolution failed', {
      source: 'gateway',
      status: 503,
      cause,
    });
  }
  const reason = cause instanceof DnsError ? cause.code.replaceAll('_', ' ') : 'unexpected error';
  const message = `failed the initial dns/balancer resolve for '${host}' with: ${reason}`;
  return new GatewayError('resolver_failed', message, { source: 'gateway', status: 500, cause });
}

/** The head of a response has not come within the time of one try. */
export function tryTimeout(ms: number): GatewayError {
  return new GatewayError('upstream_try_timeout', 'The upstream server is timing out', {
    source: 'upstream',
    status: 504,
    retry: 'always',
    cause: `after ${ms} ms`,
  });
}

/** Something on the path threw. */
export function defect(cause: unknown): GatewayError {
  const init = { source: 'gateway', status: 500, cause } as const;
  return new GatewayError('defect', 'An unexpected error occurred', init);
}
