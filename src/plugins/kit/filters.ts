/**
 * What a plugin does, by phase (Kong's phases, in the order in which a request meets them). A filter that answers nothing
 * lets the request go on; `access`, `rewrite` and `response` may answer a `Reply`. Only promises are awaited.
 */
import type { CertificateExchange, Exchange, StreamExchange } from './exchange.ts';
import type { Reply } from './reply.ts';

export type FilterResult = Reply | void;

/** Ends a stream before its upstream is asked. */
export interface StreamRefusal {
  readonly refuse: string;
}

/** What clients are told when they are asked. */
export interface ClientCertificateRequest {
  /** Ids of CA certificates whose names are sent, so that a client can choose; empty: no names. */
  readonly authorities: readonly string[];
}

export interface Filters {
  /** Clients of the plugin's routes are asked for a certificate when they shake hands. */
  readonly clientCertificates?: ClientCertificateRequest;
  /** A TLS handshake; only plugins without route, service and consumer. */
  certificate?(handshake: CertificateExchange): void | Promise<void>;
  /** Before the route is known; only plugins without route, service and consumer. */
  rewrite?(exchange: Exchange): FilterResult | Promise<FilterResult>;
  access?(exchange: Exchange): FilterResult | Promise<FilterResult>;
  /** With the upstream's whole response at hand, before any of it is sent; its presence buffers responses. */
  response?(exchange: Exchange, body: Buffer): FilterResult | Buffer | Promise<FilterResult | Buffer>;
  /** The head that the client gets, whoever made the response. */
  headerFilter?(exchange: Exchange): void;
  /**
   * A chunk of the body that the client gets; `last` comes with the final one, which may be empty. Answers what is sent in
   * its place: nothing sends it as it is, an empty buffer keeps it back. The chunk is valid during the call only.
   */
  bodyFilter?(exchange: Exchange, chunk: Buffer, last: boolean): Buffer | void;
  /** The response has left. What it throws is logged. */
  log?(exchange: Exchange): void | Promise<void>;
  /** A stream whose route is known and whose upstream is not asked yet. */
  preread?(stream: StreamExchange): StreamRefusal | void | Promise<StreamRefusal | void>;
  /** A stream is over. */
  streamLog?(stream: StreamExchange): void;
  /** The configuration that these filters were made for is gone: ends timers and connections. Requests that began before may still come. */
  dispose?(): void | Promise<void>;
}
