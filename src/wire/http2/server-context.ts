/** What all HTTP/2 connections of a worker's clients share beside what they share with HTTP/1.1's, and their limits. */
import type { ServerSessionOptions } from 'node:http2';
import type { HeadLimits } from '../http1/head-parser.ts';
import type { ClientContext } from '../http1/client-context.ts';

export interface Http2Limits {
  /** Requests at once on one connection (nginx's http2_max_concurrent_streams). */
  readonly streams: number;
  /** Octets of a request body that may come before anybody reads it (nginx's http2_body_preread_size). */
  readonly preread: number;
  /** MiB that a connection may hold before its streams are refused; likewise of bodies that are kept for an upstream. */
  readonly sessionMemory: number;
  /** Octets that may wait in each stream for a slow client: its part of `sessionMemory`. */
  readonly readAhead: number;
  /** Streams that a client may take back: so many at once, and so many a second for good (CVE-2023-44487). */
  readonly resetBurst: number;
  readonly resetRate: number;
}

export interface Http2ServerContext extends ClientContext {
  readonly http2: Http2Limits;
  readonly requestLimits: HeadLimits;
  /** Of `http2` and `requestLimits`, made once. */
  readonly http2Options: ServerSessionOptions;
}

/** Fields beside the regular ones that a HEADERS frame may have. */
const PSEUDO_HEADERS = 5;
/** What HPACK counts for a field beside its octets (RFC 7541 §4.1). */
const FIELD_OVERHEAD = 32;
/** Largest window (RFC 9113 §6.9.1). */
export const MAX_WINDOW = 2 ** 31 - 1;

/**
 * What `node:http2` is told. A head that is a little too large is still read, so that its client can be told so (431 and
 * the like); one that is far too large is not (ENHANCE_YOUR_CALM).
 */
export function sessionOptions(limits: Http2Limits, head: HeadLimits): ServerSessionOptions {
  return {
    maxHeaderListPairs: 2 * head.lines + PSEUDO_HEADERS,
    maxSessionMemory: limits.sessionMemory,
    maxSettings: 32,
    maxOutstandingPings: 10,
    maxSessionInvalidFrames: 100,
    maxSessionRejectedStreams: 100,
    streamResetBurst: limits.resetBurst,
    streamResetRate: limits.resetRate,
    strictSingleValueFields: false,
    // Else a padded field would be left out without a word: `server-head.ts` refuses it.
    strictFieldWhitespaceValidation: false,
    settings: {
      enableConnectProtocol: true,
      initialWindowSize: limits.preread,
      maxConcurrentStreams: limits.streams,
      maxHeaderListSize: 2 * (head.headBytes + head.lines * FIELD_OVERHEAD),
    },
  };
}
