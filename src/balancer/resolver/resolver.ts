/**
 * Names of services become addresses behind this one interface.
 *
 * The request path calls `peek` first, which is synchronous and allocates nothing on a hit, and `resolve` only when
 * there is nothing usable yet. The main thread has the one resolver that asks name servers (caching-resolver.ts); a worker
 * keeps what it is told of (told-names.ts). A data plane without a main thread around it has the former itself.
 */
import type { LeaveListener } from './address-holds.ts';

/** Kinds of failure: `name_error` (NXDOMAIN) and `empty` (no records) are answers, the others are not. */
export type DnsErrorCode = 'name_error' | 'timeout' | 'server_failure' | 'empty';

export class DnsError extends Error {
  readonly code: DnsErrorCode;
  /** Seconds for which the answer that there is nothing may be kept; null: it does not say. */
  readonly ttl: number | null;

  constructor(code: DnsErrorCode, message: string, ttl: number | null = null) {
    super(message);
    this.name = 'DnsError';
    this.code = code;
    this.ttl = ttl;
  }
}

export interface ResolvedAddress {
  /** IPv4 or IPv6 text, without brackets. */
  readonly ip: string;
  /** Port of an SRV record; null when the service's own port stands (no SRV, or its port is 0). */
  readonly port: number | null;
  /** Share of the traffic, at least 1. */
  readonly weight: number;
  /** The target of the SRV record, when that is a name. */
  readonly name?: string;
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

/** The resolver of a data plane. */
export interface PlaneResolver extends Resolver {
  /** Hears of an address that has left the last name that had it: connections to it are not to be used any more. */
  leaving: LeaveListener;
}
