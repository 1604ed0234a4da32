/**
 * What a plugin sees of a request: nouns with what can be read and changed of them.
 *
 * Header names are case-insensitive. What a plugin writes is checked: a value with a line break, or a name that is no
 * token (RFC 9110 §5.6.2), throws, and so does a change whose time is over.
 */
import type { Affinity } from '../../balancer/affinity.ts';
import type { BalancingPolicy } from '../../balancer/policy.ts';
import type { Consumer } from '../../entities/consumer.ts';
import type { ConsumerGroup } from '../../entities/consumer-group.ts';
import type { Route } from '../../entities/route.ts';
import type { Service } from '../../entities/service.ts';
import type { NameSet } from '../../wire/folded-names.ts';
import type { GatePolicy } from './gates.ts';
import type { HedgePolicy, RetryPolicy, TryRecord } from './tries.ts';
import type { MirrorPolicy } from './mirror.ts';

/** Header fields of a message, to read. */
export interface ReadHeaders {
  /** The first value, or undefined. */
  get(name: string): string | undefined;
  /** All values, one for each line. */
  all(name: string): readonly string[];
  has(name: string): boolean;
  /** Lower-case names with all their values. */
  entries(): IterableIterator<[name: string, value: string]>;
}

/** Header fields of a message, to read and change. */
export interface EditHeaders extends ReadHeaders {
  /** Replaces all lines of that name; several values become several lines. */
  set(name: string, value: string | readonly string[]): void;
  add(name: string, value: string): void;
  remove(name: string): void;
  /** Removes all lines whose names are spellings of these, `_` for `-` included. */
  removeSpellings(names: NameSet): void;
}

/** The connection and who is behind it. */
export interface Client {
  /** After `trusted_ips` and `real_ip_header`. */
  readonly ip: string;
  readonly port: number;
  /** The socket's own: that of a proxy in front, where there is one. */
  readonly socketIp: string;
  /** `TLSv1.3`, the server name that was asked for, the client's certificate; null without TLS. */
  readonly tls: ClientTls | null;
  /** A proxy of `trusted_ips` is in front: what it says of the client is believed. */
  readonly trusted: boolean;
}

export interface ClientTls {
  readonly version: string;
  readonly cipher: string;
  readonly serverName: string;
  /** nginx's `$ssl_client_verify`: `NONE`, `SUCCESS` or `FAILED:reason`. */
  readonly clientVerify: string;
  /** In DER, leaf first; empty when the client showed none. */
  clientChain(): readonly Buffer[];
}

/** What the client asked for. Paths are as they came in `rawPath`, normalized in `path`. */
export interface IncomingRequest {
  readonly method: string;
  readonly scheme: 'http' | 'https';
  /** Of the Host header, without the port, as the client wrote it. */
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly rawPath: string;
  /** Without the question mark, as it came. */
  readonly query: string;
  /** Path and query as they came, not normalized. */
  readonly target: string;
  /** All values of a header as the client sent them, also of `host` and of what is taken out of `headers` (`content-length`). */
  received(name: string): readonly string[];
  /** Decoded arguments; each has one value or more. Made when first asked for. */
  readonly args: ReadonlyMap<string, readonly string[]>;
  /** `1.0`, `1.1` or `2`. */
  readonly httpVersion: string;
  /** As they go to the upstream by now. */
  readonly headers: ReadHeaders;
  /** Scheme, host, port, path and prefix that the client used, as far as a trusted proxy in front says others. */
  readonly forwarded: {
    readonly scheme: string;
    readonly host: string;
    readonly port: number;
    readonly path: string;
    readonly prefix: string | null;
  };
  /** Cookies by name, the first of each. Made when first asked for. */
  readonly cookies: ReadonlyMap<string, string>;
  /** A capture of the route's path regex, by name or number. */
  capture(name: string | number): string | undefined;
  /** Octets of the body as the head declares them: 0 without a body, null when only its end will tell. */
  readonly bodyLength: number | null;
  /** All of them: by name, and in order without the whole match. */
  captures(): {
    readonly named: Readonly<Record<string, string>>;
    readonly unnamed: ReadonlyArray<string | null>;
  };
  /** The protocol is gRPC over HTTP/2. */
  readonly isGrpc: boolean;
  /** Milliseconds since 1970 when the head was complete. */
  readonly startedAt: number;
  /**
   * The whole body, which is then sent to the upstream as ever. Only before the request is forwarded.
   *
   * @param options.limit octets, 8 MiB unless said. @throws BodyTooLarge, which unhandled is a 413.
   */
  body(options?: { readonly limit?: number }): Promise<Buffer>;
}

/** What the upstream will be asked. To be changed in `rewrite` and `access`. */
export interface UpstreamRequest {
  method: string;
  /** With the service's path in front, as it will be sent. */
  path: string;
  /** Without the question mark; '' for none. */
  query: string;
  /** The Host header. */
  host: string;
  readonly headers: EditHeaders;
  /** In place of what the client sent; its length is declared anew. */
  setBody(body: Uint8Array | string): void;
  /**
   * Where to connect, in place of what the service says: a host and a port. A host that is the name of an upstream is
   * balanced over its targets, with their ports. Null leaves one of them as it is.
   */
  setTarget(host: string | null, port: number | null): void;
  /**
   * Another service in place of the route's, with all that it says: host, port, protocol, path, TLS, time-outs, retries.
   * What `setTarget`, `setScheme`, `setTimeouts` and `setRetries` said before is undone; a path that was set stays.
   *
   * @throws RangeError when there is none that is enabled, or it takes no HTTP requests.
   */
  setService(nameOrId: string): void;
  /** A service as this request may be sent to it; null: there is none that is enabled. */
  findService(nameOrId: string): Service | null;
  /** False: the host is an upstream without any target, or too little of it is healthy. */
  isHealthy(host: string): boolean;
  /** `https` speaks TLS to the upstream. */
  setScheme(scheme: 'http' | 'https'): void;
  /** Milliseconds. */
  setTimeouts(timeouts: { readonly connect?: number; readonly write?: number; readonly read?: number }): void;
  setRetries(retries: number): void;
  /** How a target of the upstream is chosen, in place of what the upstream says; made once, not for each request. */
  setBalancing(policy: BalancingPolicy): void;
  /** The target of the upstream that is wanted. */
  setAffinity(affinity: Affinity): void;
  /** Which tries are followed by another; null: those that Kong repeats. Instead of the one that another plugin has set. */
  retryPolicy: RetryPolicy | null;
  /** When another target is asked, too; null: never. */
  hedgePolicy: HedgePolicy | null;
  /** Its tries have to pass this, too, in the order in which it is said. */
  guard(policy: GatePolicy): void;
  /** A copy of the request goes elsewhere, too; null: none does. */
  mirror: MirrorPolicy | null;
}

/** What the upstream answered; null values while it has not. */
export interface UpstreamResponse {
  /** 0 while there is none. */
  readonly status: number;
  readonly headers: ReadHeaders;
}

/** What the client gets. To be changed in `headerFilter` (and `response`). */
export interface OutgoingResponse {
  status: number;
  readonly headers: EditHeaders;
  /** Who made it: the upstream, a plugin's reply, or an error of the gateway (`kong.response.get_source`). */
  readonly source: 'service' | 'exit' | 'error';
  /** Octets of the body that were sent so far. */
  readonly bytesSent: number;
}

/** How the client was recognized, as log entries and limits name it. */
export interface Credential {
  readonly id: string;
  /** Id of the consumer it belongs to; null: it stands for nobody. */
  readonly consumerId: string | null;
}

export interface LogFields {
  /** Puts a field into the log entry, by its path: `set('kafka.partition', 3)`. */
  set(path: string, value: unknown): void;
}

/** One request on its way through the gateway. */
export interface Exchange {
  /** 32 hex digits. */
  readonly id: string;
  readonly client: Client;
  readonly request: IncomingRequest;
  readonly upstreamRequest: UpstreamRequest;
  readonly upstreamResponse: UpstreamResponse;
  readonly response: OutgoingResponse;
  /** What was tried at the upstream, in order (Kong's `tries`); the last one may be under way. */
  readonly tries: readonly TryRecord[];
  /** Null before routing, and when no route matched. */
  readonly route: Route | null;
  readonly service: Service | null;
  /** Who calls; null: nobody knows. */
  readonly consumer: Consumer | null;
  readonly credential: Credential | null;
  /** Of the consumer, and what else a plugin has found the client to belong to. */
  readonly groups: readonly ConsumerGroup[];
  /** Names that a plugin like ldap-auth or openid-connect found (`authenticated_groups`); null: none did. */
  authenticatedGroups: readonly string[] | null;
  /** What plugins tell each other (`kong.ctx.shared`). */
  readonly shared: Map<string, unknown>;
  readonly log: LogFields;
  /** Aborted when the exchange is over: to be handed to what a filter waits for. */
  readonly signal: AbortSignal;
  /** Says who calls: plugins behind choose their configuration by it. Only headers are not touched. */
  authenticate(consumer: Consumer | null, credential: Credential | null): void;
}

/** One connection of `stream_listen` on its way through the gateway. */
export interface StreamExchange {
  readonly id: string;
  readonly client: Client;
  readonly transport: 'tcp' | 'tls' | 'tls_passthrough' | 'udp';
  /** Of the ClientHello, lower case, or ''. */
  readonly serverName: string;
  readonly route: Route | null;
  readonly service: Service | null;
  /** 200, or what the access log says why it came to nothing (nginx's `$status`). */
  readonly status: number;
  /** Octets to and from the client so far. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** `tcp://ADDRESS:PORT` of the upstream; '' while there is none. */
  readonly upstream: string;
  readonly shared: Map<string, unknown>;
  readonly log: LogFields;
}

/** A TLS handshake that waits for its certificate. */
export interface CertificateExchange {
  /** Lower case, or ''. */
  readonly serverName: string;
  readonly client: { readonly ip: string; readonly port: number };
  /** PEM; what is set here is used in place of the configured certificate. */
  use(certificate: string, key: string): void;
}

/** A body was larger than whoever read it wanted. */
export class BodyTooLarge extends Error {
  override readonly name = 'BodyTooLarge';
}
