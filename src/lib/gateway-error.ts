/** Who caused a failure on the request path. */
export type ErrorSource = 'client' | 'upstream' | 'gateway' | 'plugin';

/**
 * May the exchange be tried again on another connection: never, always, only when the connection was a reused one, or
 * whatever its method, since the upstream itself says that it has not begun (HTTP/2: REFUSED_STREAM, GOAWAY).
 */
export type RetryRule = 'never' | 'always' | 'if-reused' | 'unprocessed';

export interface GatewayErrorInit {
  readonly source: ErrorSource;
  /** HTTP status that the client sees. */
  readonly status: number;
  readonly retry?: RetryRule;
  readonly cause?: unknown;
  /** HTTP/2 error code that broke the upstream's stream; 0 or none when nothing of that kind did. */
  readonly resetCode?: number;
  /** Seconds after which the client may ask again; 0 or none: nobody knows. */
  readonly retryAfter?: number;
}

/**
 * The one error type of the request path. `code` is a stable lower-case word for logs (`upstream_read_timeout`);
 * `message` is what the client may read. Inner detail goes into `cause` and never leaves the process.
 */
export class GatewayError extends Error {
  readonly code: string;
  readonly source: ErrorSource;
  readonly status: number;
  readonly retry: RetryRule;
  readonly resetCode: number;
  readonly retryAfter: number;

  constructor(code: string, message: string, init: GatewayErrorInit) {
    super(message, init.cause === undefined ? undefined : { cause: init.cause });
    this.code = code;
    this.source = init.source;
    this.status = init.status;
    this.retry = init.retry ?? 'never';
    this.resetCode = init.resetCode ?? 0;
    this.retryAfter = init.retryAfter ?? 0;
  }
}
