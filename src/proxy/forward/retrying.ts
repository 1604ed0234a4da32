/**
 * May another try follow, and when: Kong's rule (nginx's `error timeout`), or a policy that a plugin has set.
 *
 * Whatever a policy says, nothing is tried again once the client has heard anything, and nothing whose body is gone.
 */
import type { GatewayError } from '../../lib/gateway-error.ts';
import { NO_RETRY, type RetryPolicy, type TryFailure, type TryOutcome } from '../../plugins/kit/tries.ts';
import { NO_BODY, type ResponseHead } from '../../wire/message.ts';
import type { Attempt } from './attempt.ts';
import type { Exchange } from '../exchange.ts';

/** nginx never sends these twice once they were sent. */
const NOT_IDEMPOTENT: ReadonlySet<string> = new Set(['POST', 'LOCK', 'PATCH']);

/** By `GatewayError.code`. */
const FAILURES: Readonly<Record<string, TryFailure>> = {
  upstream_connect_failed: 'connect_failure',
  upstream_tls_failed: 'connect_failure',
  upstream_connect_timeout: 'connect_timeout',
  upstream_write_timeout: 'timeout',
  upstream_read_timeout: 'timeout',
  upstream_try_timeout: 'timeout',
  upstream_closed: 'reset',
  upstream_closed_early: 'reset',
  upstream_reset: 'reset',
  upstream_refused_stream: 'refused_stream',
  malformed_response: 'invalid_response',
  malformed_response_chunk: 'invalid_response',
  response_head_too_large: 'invalid_response',
  upstream_transfer_coding: 'invalid_response',
  conflicting_response_framing: 'invalid_response',
};

/** Kong's rule. */
export function isRepeatable(exchange: Exchange, attempt: Attempt, error: GatewayError): boolean {
  const { edits, method } = exchange;
  return (
    error.retry !== 'never' &&
    isStillHere(exchange) &&
    (!attempt.sent || error.retry === 'unprocessed' || !NOT_IDEMPOTENT.has(edits?.method ?? method))
  );
}

/** Nothing of the request is gone that an upstream would have to be sent again. */
function isStillHere({ answered, body }: Exchange): boolean {
  return !answered && (body === null || body.replayable);
}

/** @param tries those that were repeated. @param retries the service's. @returns milliseconds, or NO_RETRY. */
export function delayAfterFailure(
  exchange: Exchange,
  attempt: Attempt,
  error: GatewayError,
  { tries, retries }: { readonly tries: number; readonly retries: number },
): number {
  const policy = exchange.edits?.retryPolicy ?? null;
  if (tries >= (policy?.attempts ?? retries)) return NO_RETRY;
  const failure = FAILURES[error.code];
  if (policy === null || error.source !== 'upstream' || failure === undefined)
    return isRepeatable(exchange, attempt, error) ? 0 : NO_RETRY;
  if (!isStillHere(exchange)) return NO_RETRY;
  const { sent } = attempt;
  return policy.decide({
    method: methodOf(exchange),
    sent,
    retry: tries + 1,
    failure,
    status: 0,
    bodiless: false,
    headers: null,
  });
}

/** Null: no try could follow in any case. */
export function answerOutcome(
  exchange: Exchange,
  policy: RetryPolicy,
  head: ResponseHead,
  { tries, retries }: { readonly tries: number; readonly retries: number },
): TryOutcome | null {
  if (tries >= (policy.attempts ?? retries) || !isStillHere(exchange)) return null;
  const { status, bodyLength, headers } = head;
  const bodiless = bodyLength === 0 || bodyLength === NO_BODY;
  return {
    method: methodOf(exchange),
    sent: true,
    retry: tries + 1,
    failure: null,
    status,
    bodiless,
    headers,
  };
}

function methodOf({ edits, method }: Exchange): string {
  return edits?.method ?? method;
}
