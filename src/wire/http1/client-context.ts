/** What all client connections of a worker share, and what they tell the request path. */
import type { GatewayError } from '../../lib/gateway-error.ts';
import type { TimerWheel } from '../../lib/timer-wheel.ts';
import type { WorkerZone } from '../../zone/worker-zone.ts';
import type { Headers, Peer, RequestHead, ServerStream } from '../message.ts';
import type { RequestHeadParser } from './head-parser.ts';
import type { Scratch } from './output.ts';

/** Milliseconds; nginx's keepalive_timeout, client_header_timeout, client_body_timeout, send_timeout. */
export interface ClientTimeouts {
  readonly keepAlive: number;
  readonly header: number;
  readonly body: number;
  readonly send: number;
}

/** A client's connection as its worker keeps it, whatever protocol it speaks. */
export interface ServerConnection {
  /** Replaced whole when the settings judge it otherwise. */
  peer: Peer;
  /** The worker stops: idle connections end soon, busy ones with their response. */
  drain(): void;
  /** The grace time is over. */
  destroy(): void;
}

/** What could be read of a head that is refused. */
export interface MalformedRequest {
  /** '' when there is none. */
  readonly requestLine: string;
  /** Lines before the fault, for this call only. */
  readonly headers: Headers;
}

/** What all client connections of a worker share. */
export interface ClientContext {
  readonly wheel: TimerWheel;
  readonly scratch: Scratch;
  readonly zone: WorkerZone;
  readonly timeouts: ClientTimeouts;
  /** Requests that one connection may bring (nginx's keepalive_requests). */
  readonly maxRequests: number;
  /** Octets of a trailer section. */
  readonly trailerBytes: number;
  /** The worker stops: each response ends its connection. */
  readonly draining: boolean;
  takeParser(): RequestHeadParser;
  releaseParser(parser: RequestHeadParser): void;
  onRequest(stream: ServerStream, head: RequestHead): void;
  /** A head that cannot be read; answers on the stream, which closes behind it. */
  onMalformed(stream: ServerStream, error: GatewayError, request: MalformedRequest): void;
  /** A defect: something on the request path threw. */
  onDefect(error: unknown): void;
  closed(connection: ServerConnection): void;
}
