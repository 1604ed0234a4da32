/**
 * The protocol-neutral seam between the wire and the request path.
 *
 * `proxy/` and plugins see heads, header views, body chunks, trailers and resets: never the bytes of a protocol.
 * `wire/http1` implements both sides, `wire/http2` that of clients; tests may use an in-memory one.
 *
 * Flow control is credit: `write` answers false when the peer is slow, then the writer stops its source
 * (`pauseBody`) until `onDrain`. Writes are coalesced until `flush`, so that a head and the first chunk leave in one
 * write; the side that reads calls `onReadEnd` after each read from its socket, and that is when to flush.
 *
 * Memory: a chunk handed to `onBody` may be a view of a buffer that is read into again. It is valid until the call to
 * `onReadEnd` that follows; whoever keeps it longer copies it, or answers `true` there.
 */
import type { NameSet } from './folded-names.ts';
import type { GatewayError } from '../lib/gateway-error.ts';
import type { ProxiedAddresses } from './proxy-protocol/header.ts';

/** Header fields of one message. Names are case-insensitive; callers pass lower case. */
export interface Headers {
  /** First value, or undefined. */
  get(name: string): string | undefined;
  /** All values in order, one for each line. */
  all(name: string): string[];
  /** All values as they came, in order, also of lines that are taken out by now: what routes are matched by. */
  received(name: string): string[];
  has(name: string): boolean;
  /** Is there more than one line of that name? */
  repeats(name: string): boolean;
  each(visit: (name: string, value: string) => void): void;
  /** Replaces all lines of that name by one, written as `name`. */
  set(name: string, value: string): void;
  /** Adds a line, written as `name`. */
  add(name: string, value: string): void;
  remove(name: string): void;
  /** Removes all lines whose names are spellings of these. */
  removeSpellings(names: NameSet): void;
}

/** Octets of a body: a number when the head tells, else one of these two. */
export type BodyLength = number;
/** Only its end tells how long the body is. */
export const UNKNOWN_LENGTH = -1;
/** The message has no body and says nothing of one. */
export const NO_BODY = -2;

/** Trailer fields, flat: name, value, name, value. */
export type Trailers = readonly string[];

/**
 * What a request says, less what concerns only its connection: hop-by-hop fields, framing, `Expect` and `Upgrade` are
 * read by the wire, taken out of `headers`, and stand here as plain facts.
 */
export interface RequestHead {
  readonly method: string;
  /** Path and query in origin form, latin1; `*` for `OPTIONS *`. */
  readonly target: string;
  /** The target as the client wrote it, for logs: only here a request to a proxy has its absolute form. */
  readonly rawTarget: string;
  /** Host as the client wrote it, with its port; empty when an HTTP/1.0 client sent none. */
  readonly authority: string;
  readonly version: HttpVersion;
  readonly headers: Headers;
  readonly bodyLength: BodyLength;
  /** Protocol that the client asks to change to (lower case), or ''. */
  readonly upgrade: string;
  /** The client reads trailers (`TE: trailers`). */
  readonly acceptsTrailers: boolean;
}

/** What goes upstream of a request; the wire adds what its protocol needs. */
export type OutgoingRequest = Omit<RequestHead, 'version' | 'rawTarget'>;

export type HttpVersion = '1.0' | '1.1' | '2';

export interface ResponseHead {
  readonly status: number;
  /** Reason phrase; only HTTP/1.1 has one. */
  readonly reason: string;
  readonly headers: Headers;
  readonly bodyLength: BodyLength;
}

/** What the handshake of a client connection said (RFC 8446). */
export interface TlsFacts {
  /** Server name that the client asked for, lower case, or ''. */
  readonly serverName: string;
  /** `TLSv1.2`, `TLSv1.3`. */
  readonly version: string;
  /** OpenSSL's name of the suite. */
  readonly cipher: string;
  /** nginx's `$ssl_client_verify`: `NONE`, `SUCCESS` or `FAILED:reason`. */
  readonly clientVerify: string;
  /** The client's certificate and those that it sent with it, in DER, leaf first; asked for rarely, so made then. */
  clientChain(): readonly Buffer[];
}

/** Why requests of a connection may have to be refused before anybody routes them; applied in `proxy/guard.ts`. */
export interface ConnectionGuard {
  /** All of them: nginx's 400 for plain HTTP on a TLS port, for a client certificate that is missing or not good. */
  readonly refusal: 'plain_http' | 'no_certificate' | 'bad_certificate' | null;
  /** Those for another host than the server name of the handshake, under which the client was judged (421). */
  readonly serverName: string;
}

/** Addresses of a client connection. */
export interface Peer {
  /** The socket's: that of a proxy in front, where there is one; `unix:` on a unix socket. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  /** Null on a connection without TLS. */
  readonly tls: TlsFacts | null;
  /** Null on nearly every connection. */
  readonly guard?: ConnectionGuard | null;
  /** Clients are asked for certificates by other rules than when this one shook hands: its request is its last. */
  readonly outdated?: boolean;
  /** The address is one of `trusted_ips`: what it says of the client is believed. */
  readonly trusted: boolean;
  /** Port that clients use, after `port_maps`. */
  readonly publicPort: number;
  /** What the PROXY header of a trusted peer said of the client. */
  readonly proxied?: ProxiedAddresses | null;
}

/** A connection that left HTTP (`101`): bytes both ways, with the same credit and memory rules as bodies. */
export interface Tunnel {
  /** From now on what is read goes to `handler`, first what came behind the head. */
  start(handler: TunnelHandler): void;
  /** True: the chunk is still referenced. */
  write(chunk: Buffer): boolean;
  /** False when the peer is slow: stop the other side until `onDrain`. */
  readonly writable: boolean;
  pause(): void;
  resume(): void;
  /** No more bytes to this peer (FIN); the other direction stays. */
  end(): void;
  /** Ends both directions when what waits for the peer has left. */
  finish(): void;
  destroy(): void;
}

export interface TunnelHandler {
  /** True: the chunk is still referenced when the call returns. */
  onData(chunk: Buffer): boolean;
  onDrain(): void;
  /** The peer sends no more. */
  onEnd(): void;
  /** The connection is gone. */
  onClose(): void;
}

/** One request as the server sees it: its body comes in, its response goes out. */
export interface ServerStream {
  readonly peer: Peer;
  /** Who is told what happens to this request; the first thing that the request path says. */
  handle(handler: ServerStreamHandler): void;
  /** Starts delivery of the body (and tells a client that expects it to continue). */
  readBody(): void;
  pauseBody(): void;
  resumeBody(): void;
  /** Sends an interim response (1xx but 101). */
  inform(head: ResponseHead): void;
  /** The response that follows is the last one: the connection ends behind it (HTTP/2: nothing to do). */
  lastResponse(): void;
  /** Sends the head of the final response. `head.bodyLength` says how the body will be framed. */
  respond(head: ResponseHead): void;
  /** False: stop until `onDrain`. */
  write(chunk: Buffer): boolean;
  end(trailers: Trailers | null): void;
  /** Hands what was written to the kernel. True: chunks are still referenced, their memory must stay as it is. */
  flush(): boolean;
  /** Bytes that may wait for a slow client before `write` answers false. */
  readAhead(bytes: number): void;
  /**
   * Octets of the body that the request path keeps now, 0 when it let go of them. False: all streams of the connection
   * together keep more than they may, so what can be sent on should be.
   */
  keeps(bytes: number): boolean;
  /**
   * Ends the connection (HTTP/1.1) or the stream (HTTP/2) without a proper end of the response.
   *
   * @param code HTTP/2 error code of an upstream's stream that broke: CANCEL is passed on, others are INTERNAL_ERROR.
   */
  reset(code?: number): void;
  /** Sends the `101` and gives the connection away. */
  upgrade(head: ResponseHead): Tunnel;
}

export interface ServerStreamHandler {
  onBody(chunk: Buffer): void;
  onBodyEnd(trailers: Trailers | null): void;
  /** End of one read from the socket: flush. */
  onReadEnd(): void;
  onDrain(): void;
  /** The response has left (the kernel has all of it, or nearly). No other call follows. */
  onFinish(): void;
  /**
   * The request cannot be read to its end: malformed body, time-out (answer it if the response has not begun; then
   * only `onFinish` follows), or the client has gone (`status` 499: nothing follows, the stream takes nothing more).
   */
  onRequestError(error: GatewayError): void;
}

/** One request as the client sends it: its body goes out, its response comes in. */
export interface ClientStream {
  /** False while it connects; `onConnect` follows, or `onError`. */
  readonly ready: boolean;
  /** True when the connection had served another request: an early failure may only mean that it was stale. */
  readonly reused: boolean;
  send(head: OutgoingRequest): void;
  write(chunk: Buffer): boolean;
  end(trailers: Trailers | null): void;
  flush(): boolean;
  pauseBody(): void;
  resumeBody(): void;
  /** Gives up: nothing is delivered after this. */
  cancel(): void;
}

export interface ClientStreamHandler {
  onConnect(): void;
  onInform(head: ResponseHead): void;
  onResponse(head: ResponseHead): void;
  onBody(chunk: Buffer): void;
  onBodyEnd(trailers: Trailers | null): void;
  /** End of one read from the socket: flush. True: chunks of this read are still referenced. */
  onReadEnd(): boolean;
  onDrain(): void;
  /** `101` to the upgrade that was asked for: the connection is the handler's. */
  onUpgrade(head: ResponseHead, tunnel: Tunnel): void;
  /** No other call follows. */
  onError(error: GatewayError): void;
}
