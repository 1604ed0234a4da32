/** The resolver that asks name servers, made from the settings `dns_*`. */
import { monotonicClock } from '../../lib/monotonic.ts';
import type { Settings } from '../../settings/settings.ts';
import type { Hosts } from './cache-options.ts';
import { CachingResolver } from './caching-resolver.ts';
import type { DnsBackend } from './dns-backend.ts';
import { DnsClient } from './dns-client.ts';
import type { NameServer } from './dns-exchange.ts';
import { HostsFile } from './hosts-file.ts';
import { Lookup } from './lookup.ts';
import { readResolvConf, type ResolvConf } from './resolv-conf.ts';

/** The settings that resolving reads (Kong's names and units). */
export type DnsSettings = Pick<
  Settings,
  | 'dns_resolver'
  | 'dns_hostsfile'
  | 'dns_order'
  | 'dns_valid_ttl'
  | 'dns_stale_ttl'
  | 'dns_cache_size'
  | 'dns_not_found_ttl'
  | 'dns_error_ttl'
  | 'dns_refresh_ahead'
>;

/** What tests replace. */
export interface ResolverParts {
  /** Milliseconds, never going back. */
  readonly now?: () => number;
  readonly random?: () => number;
  readonly backend?: DnsBackend;
  readonly resolvConf?: ResolvConf;
  readonly hosts?: Hosts;
}

const RESOLV_CONF = '/etc/resolv.conf';
const LOCAL = '127.0.0.1';
const DNS_PORT = 53;

/** @param warn called with a line for the error log (an unreadable hosts file, a refresh that failed). */
export function createResolver(
  settings: DnsSettings,
  warn: (line: string) => void,
  parts: ResolverParts = {},
): CachingResolver {
  const now = parts.now ?? monotonicClock();
  const conf = parts.resolvConf ?? readResolvConf(RESOLV_CONF);
  const { search, ndots, timeout, attempts, rotate } = conf;
  const servers = serversOf(settings.dns_resolver.length > 0 ? settings.dns_resolver : conf.servers);
  const backend = parts.backend ?? new DnsClient({ servers, timeout, attempts, rotate, now });
  const lookup = new Lookup(backend, {
    order: settings.dns_order,
    search,
    ndots,
    validTtl: settings.dns_valid_ttl,
  });
  const hosts = parts.hosts ?? new HostsFile(settings.dns_hostsfile, now, warn);
  const options = {
    staleTtl: settings.dns_stale_ttl,
    notFoundTtl: settings.dns_not_found_ttl,
    errorTtl: settings.dns_error_ttl,
    size: settings.dns_cache_size,
    now,
    random: parts.random ?? Math.random,
    warn,
    late: !settings.dns_refresh_ahead,
  };
  return new CachingResolver(lookup, hosts, options, () => backend.close());
}

/** `ip`, `ip:port` or `[ip]:port`; without any the server of this host is asked (resolv.conf(5)). */
function serversOf(list: readonly string[]): readonly NameServer[] {
  const servers = list.length > 0 ? list : [LOCAL];
  return servers.map((text) => {
    const [, bracketed, plain, port] = /^(?:\[(.+)\]|([^:]+))(?::(\d+))?$/.exec(text) ?? [null, null, text];
    return { address: bracketed ?? plain ?? text, port: Number(port ?? DNS_PORT) };
  });
}
