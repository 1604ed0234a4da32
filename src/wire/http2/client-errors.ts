/** What can go wrong with a stream to an upstream, and whether another try may follow. */
import { GatewayError } from '../../lib/gateway-error.ts';
import type { RetryRule } from '../../lib/gateway-error.ts';
import { TlsFailure } from '../tls/upstream-connect.ts';

const INVALID_RESPONSE = 'An invalid response was received from the upstream server';

export function closedError(code: string, retry: RetryRule, cause?: unknown, resetCode = 0): GatewayError {
  return new GatewayError(code, INVALID_RESPONSE, {
    source: 'upstream',
    status: 502,
    retry,
    cause,
    resetCode,
  });
}

export function timeoutError(
  phase: 'connect' | 'write' | 'read',
  milliseconds: number,
  responded: boolean,
): GatewayError {
  return new GatewayError(`upstream_${phase}_timeout`, 'The upstream server is timing out', {
    source: 'upstream',
    status: 504,
    retry: responded ? 'never' : 'always',
    cause: `after ${milliseconds} ms`,
  });
}

/** No session could be made, or it ended before it was ready. */
export function connectError(cause: unknown): GatewayError {
  const code = cause instanceof TlsFailure ? 'upstream_tls_failed' : 'upstream_connect_failed';
  return closedError(code, 'always', cause);
}
