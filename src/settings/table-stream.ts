/** Settings of TCP, TLS and UDP proxying. */
import { streamListeners } from './parse-listen.ts';
import { integer, InvalidValue, logTarget } from './parse-value.ts';
import type { StreamSettings } from './settings.ts';
import type { SettingSpec } from './table.ts';

type Table = { readonly [K in keyof StreamSettings]: SettingSpec<StreamSettings[K]> };

/** nginx's `access_log PATH FORMAT`; the one format is Kong's `basic`. */
function streamLog(value: string): string {
  const [target = '', format = 'basic', rest] = value.split(/\s+/);
  if (format !== 'basic' || rest !== undefined) {
    throw new InvalidValue(`'${value}': the only format is basic`);
  }
  return logTarget(target);
}

export const STREAM_SETTINGS: Table = {
  stream_listen: {
    initial: 'off',
    parse: streamListeners,
    takesEffect: 'restart',
    section: 'Listeners',
    doc: 'Addresses for TCP, TLS and UDP: `host:port` or `unix:/path` with the flags `ssl` (the server name in the ClientHello chooses the route, which ends the TLS or passes it through), `udp`, `proxy_protocol`, and those of every listener; or `off`.',
  },
  proxy_stream_access_log: {
    initial: 'logs/access.log basic',
    parse: streamLog,
    takesEffect: 'restart',
    section: 'General',
    doc: "Access log of streams, one line at the end of each connection or UDP session, in Kong's format `basic`.",
  },
  proxy_stream_error_log: {
    initial: 'logs/error.log',
    parse: logTarget,
    takesEffect: 'restart',
    section: 'General',
    doc: 'Error log of streams.',
  },
  nginx_sproxy_proxy_responses: {
    initial: null,
    parse: integer(0, 65_536),
    unset: null,
    takesEffect: 'live',
    aliases: ['nginx_stream_proxy_responses'],
    section: 'Upstream side',
    doc: "Datagrams that are expected from the upstream for each of a UDP client's, after which its session ends; 0 expects none. Unset, sessions end when nothing moves for the service's `read_timeout`.",
  },
  stream_udp_sessions: {
    initial: '16384',
    parse: integer(1, 1_000_000),
    takesEffect: 'live',
    section: 'Client side',
    doc: "Sluice's own: UDP sessions (client addresses and ports with an upstream) that the node has at most; each takes a socket. Datagrams of further clients are dropped and counted.",
  },
  stream_connections: {
    initial: '65536',
    parse: integer(1, 10_000_000),
    takesEffect: 'live',
    section: 'Client side',
    doc: "Sluice's own: connections of `stream_listen` that the node has at most; further ones are closed and counted.",
  },
};
