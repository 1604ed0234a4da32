/**
 * Names of services become addresses behind this one interface.
 *
 * The request path calls `peek` first, which is synchronous and allocates nothing on a hit, and `resolve` only when
 * there is nothing usable yet. Each worker thread has an instance of its own for now: a cache, and so one query per
 * name and worker; sharing answers through a zone can come behind the same interface.
 */

/** Kinds of failure: `name_error` (NXDOMAIN) and `empty` (no records) are answers, the others are not. */
export type DnsErrorCode = 'name_error' | 'timeout' | 'server_failure' | 'empty';

export class DnsError extends Error {
  readonly code: DnsErrorCode;

  constructor(code: DnsErrorCode, message: string) {
    super(message);
    this.name = 'DnsError';
    this.code = code;
  }
}

export interface ResolvedAddress {
  /** IPv4 or IPv6 text, without brackets. */
  readonly ip: string;
  /** Port of an SRV record; null when the service's own port stands (no SRV, or its port is 0). */
  readonly port: number | null;
  /** Share of the traffic, at least 1. */
  readonly weight: number;
}

export interface ResolvedName {
  /** At least one. */
  readonly addresses: readonly ResolvedAddress[];
  /** End of the TTL, milliseconds of the resolver's clock; `Infinity` for a literal. A stale name has passed it. */
  readonly expiresAt: number;
  /** The next address, round robin; by weight when the weights differ. Allocates nothing. */
  next(): ResolvedAddress;
}

export interface Resolver {
  /** A name that is known and usable now: fresh, or stale while a refresh is under way. Null: ask `resolve`. */
  peek(host: string): ResolvedName | null;
  /** @throws {DnsError} (rejection) when the name has no usable addresses. */
  resolve(host: string): Promise<ResolvedName>;
  /** Cancels what is under way; waiting callers get a `server_failure`. */
  close(): void;
}
