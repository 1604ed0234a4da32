/**
 * What plugins decide of the tries of a request: one policy each, made once for a configuration and handed to requests in
 * `access`. The forward phase asks them only where another try is possible at all: it knows whether the body is still
 * there, what was sent, and whether the client has heard anything.
 */

/** Why a try ended before it had the head of a response. */
export type TryFailure =
  | 'connect_failure'
  | 'connect_timeout'
  | 'timeout'
  | 'reset'
  | 'refused_stream'
  | 'invalid_response';

/** How one try went that another may follow. */
export interface TryOutcome {
  /** As it was sent. */
  readonly method: string;
  /** The upstream may have acted on it. */
  readonly sent: boolean;
  /** Number of the try that would follow, less the first: from 1. */
  readonly retry: number;
  /** Null: it was answered. */
  readonly failure: TryFailure | null;
  /** 0 without an answer. */
  readonly status: number;
  /** The head is all of the answer, as that of a gRPC call that failed at once. */
  readonly bodiless: boolean;
  /** Null without an answer. */
  readonly headers: { get(name: string): string | undefined } | null;
}

/** What `RetryPolicy.decide` answers when no try is to follow. */
export const NO_RETRY = -1;

export interface RetryPolicy {
  /** Tries after the first; null: the service's `retries`. */
  readonly attempts: number | null;
  /** Milliseconds that a try has until the head of its response; null: as the service's time-outs say. */
  readonly tryTimeout: number | null;
  /** A request comes to be forwarded, whatever becomes of it. */
  begin(): void;
  /** Whether the outcome is one of those that are tried again, if there is time and budget. */
  wants(outcome: TryOutcome): boolean;
  /** Milliseconds before another try, which is thereby counted, or NO_RETRY. */
  decide(outcome: TryOutcome): number;
}

export interface HedgePolicy {
  /** Tries of a request that are under way together. */
  readonly attempts: number;
  hedges(method: string): boolean;
  /** A request that may be hedged comes to be forwarded. */
  begin(): void;
  /** Milliseconds without the head of a response after which another try begins. */
  delay(): number;
  /** True: another try may begin now, and is thereby counted. */
  spend(): boolean;
  /** An answer with this status waits as long as another try is under way. */
  loses(status: number): boolean;
  /** The first try had its head after so many milliseconds, or was given up by then. */
  observe(milliseconds: number): void;
  /** The answer of another try than the first went to the client. */
  won(): void;
}

/** One try, as Kong's log entries have it. */
export interface TryRecord {
  readonly ip: string;
  readonly port: number;
  /** Milliseconds since 1970 when it had its address. */
  readonly startedAt: number;
  /**
   * `failed`: no answer came; `next`: there was one, and another try followed; `cancelled`: another one was faster. Null: it
   * is under way, or the client got its answer.
   */
  readonly state: 'failed' | 'next' | 'cancelled' | null;
  /** Status of the answer, or what the failure stands for (502, 504). */
  readonly code: number | null;
}
