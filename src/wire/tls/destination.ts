/**
 * Where a connection to an upstream goes and on what terms: what pools are keyed by.
 *
 * Two destinations are the same when host, port, trust and server name are: `UpstreamTrust` objects are made once for
 * each content (upstream-trust.ts), so they are compared as objects and no request builds a key.
 */
import type { UpstreamTrust } from './upstream-trust.ts';

/** The terms of a TLS connection to an upstream. */
export interface UpstreamTls {
  readonly trust: UpstreamTrust;
  /** The name that is asked for and verified (nginx's `proxy_ssl_name`): the Host header without its port, lower case. */
  readonly serverName: string;
}

export interface Destination {
  /** An IP address. */
  readonly host: string;
  readonly port: number;
  /** Null: plain text. */
  readonly tls: UpstreamTls | null;
}

/**
 * The name in a Host header: without port, without brackets around IPv6 and without the dot of an absolute name, which no
 * certificate has and RFC 6066 §3 forbids; lower case.
 */
export function serverNameOf(authority: string): string {
  if (authority.startsWith('[')) return authority.slice(1, authority.indexOf(']')).toLowerCase();
  const colon = authority.indexOf(':');
  const name = colon < 0 ? authority : authority.slice(0, colon);
  return (name.endsWith('.') ? name.slice(0, -1) : name).toLowerCase();
}
