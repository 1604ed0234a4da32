/**
 * What can be wrong with a message, as negative numbers for the parser's fast path, and the errors they become.
 * On the client's side a fault has nginx's (and so Kong's) status; on the upstream's side every fault is 502.
 */
import { GatewayError } from '../../lib/gateway-error.ts';

export const INCOMPLETE = -1;
export const MALFORMED = -2;
export const TARGET_TOO_LONG = -3;
export const FIELDS_TOO_LARGE = -4;
export const VERSION = -5;
export const TRANSFER_CODING = -6;
export const FRAMING = -7;
export const HOST = -8;
export const EXPECTATION = -9;
export const METHOD_NOT_ALLOWED = -10;
export const CHUNK = -11;

/** Status 494 is nginx's own for a too large head; the client sees 400. */
export const STATUS_HEAD_TOO_LARGE = 494;

const CLIENT_FAULTS: Readonly<Record<number, readonly [code: string, message: string, status: number]>> = {
  [MALFORMED]: ['malformed_request', 'Bad request', 400],
  [TARGET_TOO_LONG]: ['uri_too_long', 'URI too long', 414],
  [FIELDS_TOO_LARGE]: ['request_head_too_large', 'Request header or cookie too large', STATUS_HEAD_TOO_LARGE],
  [VERSION]: ['http_version_not_supported', 'HTTP version not supported', 505],
  [TRANSFER_CODING]: ['transfer_coding_not_implemented', 'Not implemented', 501],
  [FRAMING]: ['conflicting_request_framing', 'Bad request', 400],
  [HOST]: ['invalid_host', 'Bad request', 400],
  [EXPECTATION]: ['expectation_failed', 'Expectation failed', 417],
  [METHOD_NOT_ALLOWED]: ['method_not_allowed', 'Method not allowed', 405],
  [CHUNK]: ['malformed_chunk', 'Bad request', 400],
};

const UPSTREAM_CODES: Readonly<Record<number, string>> = {
  [MALFORMED]: 'malformed_response',
  [FIELDS_TOO_LARGE]: 'response_head_too_large',
  [TRANSFER_CODING]: 'upstream_transfer_coding',
  [FRAMING]: 'conflicting_response_framing',
  [CHUNK]: 'malformed_response_chunk',
};

export function clientFault(fault: number): GatewayError {
  const [code, message, status] = CLIENT_FAULTS[fault] ?? ['malformed_request', 'Bad request', 400];
  return new GatewayError(code, message, { source: 'client', status });
}

export const INVALID_RESPONSE = 'An invalid response was received from the upstream server';

export function upstreamFault(fault: number): GatewayError {
  return new GatewayError(UPSTREAM_CODES[fault] ?? 'malformed_response', INVALID_RESPONSE, {
    source: 'upstream',
    status: 502,
  });
}
